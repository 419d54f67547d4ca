#pragma once

namespace effconv::cpu {

/// The levels of the x86-64 instruction set (psABI) that entry functions have variants for.
enum Level { kBaseline = 1, kAvx2 = 3, kAvx512 = 4 };

/// The highest of them that this processor runs: everything that -march=x86-64-v3 and -march=x86-64-v4 let the compiler
/// use of the vector units, and the bit instructions beside them. Inlined, without a call or a sanitizer's checks: the
/// dynamic linker asks before this library has run.
__attribute__((no_sanitize("address"), always_inline)) inline Level level() {
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !__builtin_cpu_supports("bmi") ||
        !__builtin_cpu_supports("bmi2")) {
        return kBaseline;
    }
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                   __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                   __builtin_cpu_supports("avx512vl")
               ? kAvx512
               : kAvx2;
}

}  // namespace effconv::cpu

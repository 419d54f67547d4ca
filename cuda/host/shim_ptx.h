// Host versions of the PTX wrappers of effconv/device.h: same names, same arguments, same fragment layouts.
#pragma once

#include "effconv/types.h"

namespace effconv {
namespace host {

struct LdmatrixArgument {
    const void* row;
    std::uint32_t* registers;
    int matrices;
    bool transposed;
};
void combineLdmatrix(void* const* arguments, unsigned mask);
struct MmaArgument {
    float* accumulator;
    const std::uint32_t* a;
    const std::uint32_t* b;
};
void combineMmaBf16(void* const* arguments, unsigned mask);

inline void ldmatrix(const char* name, std::uint32_t* registers, const void* row, int matrices, bool transposed,
                     const char* file, int line) {
    const bool addressUsed = laneOf(*currentThread) < 8 * matrices;
    if (addressUsed && (reinterpret_cast<std::uintptr_t>(row) & 15u) != 0) {
        fault(std::string(name) + ": row address is not a multiple of 16 bytes", file, line);
    }
    LdmatrixArgument argument{row, registers, matrices, transposed};
    warpCollective(name, 0xffffffffu, &argument, &combineLdmatrix, file, line);
}

}  // namespace host

inline void cpAsync16(void* shared, const void* global, int sourceBytes = 16, EC_HOST_PLACE) {
    host::asyncCopy(shared, global, 16, sourceBytes, file, line);
}
inline void cpAsync4(void* shared, const void* global, int sourceBytes = 4, EC_HOST_PLACE) {
    host::asyncCopy(shared, global, 4, sourceBytes, file, line);
}
inline void cpAsyncCommit() {
    host::asyncCommit();
}
template <int kGroupsLeft>
inline void cpAsyncWait() {
    host::asyncWait(kGroupsLeft);
}
inline void ldmatrixX2(std::uint32_t (&registers)[2], const void* row, EC_HOST_PLACE) {
    host::ldmatrix("ldmatrix.x2", registers, row, 2, false, file, line);
}
inline void ldmatrixX2Trans(std::uint32_t (&registers)[2], const void* row, EC_HOST_PLACE) {
    host::ldmatrix("ldmatrix.x2.trans", registers, row, 2, true, file, line);
}
inline void ldmatrixX4(std::uint32_t (&registers)[4], const void* row, EC_HOST_PLACE) {
    host::ldmatrix("ldmatrix.x4", registers, row, 4, false, file, line);
}
inline void ldmatrixX4Trans(std::uint32_t (&registers)[4], const void* row, EC_HOST_PLACE) {
    host::ldmatrix("ldmatrix.x4.trans", registers, row, 4, true, file, line);
}
inline void mmaBf16(float (&accumulator)[4], const std::uint32_t (&a)[4], const std::uint32_t (&b)[2], EC_HOST_PLACE) {
    host::MmaArgument argument{accumulator, a, b};
    host::warpCollective("mma.m16n8k16", 0xffffffffu, &argument, &host::combineMmaBf16, file, line);
}
inline int opaque(int value) {
    return value;
}
inline std::uint32_t packBf16(float low, float high) {
    return static_cast<std::uint32_t>(bf16FromFloat(low)) | static_cast<std::uint32_t>(bf16FromFloat(high)) << 16;
}

}  // namespace effconv

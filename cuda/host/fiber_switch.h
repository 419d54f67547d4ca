// Switching between fibers: a hand-written switch on x86-64, ucontext elsewhere (about 12 times slower).
#pragma once

#include <cstddef>
#include <cstdint>

#if !defined(__x86_64__) || defined(EC_HOST_UCONTEXT)
#include <ucontext.h>
#define EC_FIBER_UCONTEXT 1
#endif

namespace effconv::host {

/// A suspended flow of control.
struct FiberContext {
#if defined(EC_FIBER_UCONTEXT)
    ucontext_t context;
#else
    void* stackPointer = nullptr;
#endif
};

#if defined(EC_FIBER_UCONTEXT)

inline void prepareFiber(FiberContext& fiber, char* stack, std::size_t bytes, void (*entry)()) {
    getcontext(&fiber.context);
    fiber.context.uc_stack.ss_sp = stack;
    fiber.context.uc_stack.ss_size = bytes;
    fiber.context.uc_link = nullptr;
    makecontext(&fiber.context, entry, 0);
}
inline void switchFiber(FiberContext& from, FiberContext& to) {
    swapcontext(&from.context, &to.context);
}

#else

extern "C" void effconvSwitchFiber(void** save, void* load);

inline void prepareFiber(FiberContext& fiber, char* stack, std::size_t bytes, void (*entry)()) {
    // After the six registers and the return address are popped the stack must be 8 modulo 16, as after a call.
    auto top = reinterpret_cast<std::uintptr_t>(stack + bytes) & ~std::uintptr_t(15);
    void** frame = reinterpret_cast<void**>(top) - 8;
    for (int i = 0; i < 6; ++i) frame[i] = nullptr;
    frame[6] = reinterpret_cast<void*>(entry);
    frame[7] = nullptr;  // the entry never returns
    fiber.stackPointer = frame;
}
inline void switchFiber(FiberContext& from, FiberContext& to) {
    effconvSwitchFiber(&from.stackPointer, to.stackPointer);
}

#endif

}  // namespace effconv::host

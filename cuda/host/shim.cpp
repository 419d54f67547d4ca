// Runs a grid on the host: one block after another, one fiber per CUDA thread.
#include "shim.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <numeric>
#include <random>
#include <vector>

#include "async_copies.h"
#include "fiber_switch.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define EC_ASAN 1
#endif

#if !defined(EC_FIBER_UCONTEXT)
asm(R"(
.text
.globl effconvSwitchFiber
.type effconvSwitchFiber, @function
effconvSwitchFiber:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size effconvSwitchFiber, .-effconvSwitchFiber
.section .note.GNU-stack,"",@progbits
.text
)");
#endif

namespace effconv::host {

__thread ThreadState* currentThread = nullptr;

namespace {

constexpr std::size_t kStackBytes = 256 * 1024;  // mapped lazily: only touched pages cost memory
constexpr std::size_t kGuardBytes = 4096;
constexpr unsigned kMaxThreads = 1024;
constexpr std::size_t kMaxSharedBytes = 232448;  // 227 KiB, the most a block gets on any target (sm_90, sm_100)

thread_local ThreadOrder chosenOrder = ThreadOrder::kForward;
thread_local std::uint64_t chosenSeed = 1;

enum class State : std::uint8_t { kReady, kAtBarrier, kInCollective, kDone };

struct Fiber {
    FiberContext context;
    char* mapping = nullptr;
    char* stack = nullptr;
    void* fakeStack = nullptr;
    ThreadState thread{};
    State state = State::kDone;
    const char* waitName = "";
    const char* file = "";
    int line = 0;
    unsigned mask = 0;
    void* argument = nullptr;
    Combine combine = nullptr;
    AsyncCopies copies;
};

std::string placeText(const char* file, int line) {
    return std::string(file) + ":" + std::to_string(line);
}

std::string indexText(const char* what, uint3 i) {
    return std::string(what) + " (" + std::to_string(i.x) + ", " + std::to_string(i.y) + ", " + std::to_string(i.z) +
           ")";
}

std::string threadText(const ThreadState& thread) {
    return indexText("block", thread.blockIndex) + " " + indexText("thread", thread.threadIndex);
}

/// Everything about the launch under way on this host thread. Fibers' stacks are kept for the next launch.
class Machine {
public:
    ~Machine() {
        for (auto& fiber : fibers_) munmap(fiber->mapping, kStackBytes + kGuardBytes);
    }

    void launch(dim3 grid, dim3 block, std::size_t sharedBytes, const std::function<void()>& body);
    void* shared() { return shared_.get(); }
    Fiber& current() { return *current_; }
    int barrier(Vote vote, int predicate, const char* file, int line);
    void collective(const char* name, unsigned mask, void* argument, Combine combine, const char* file, int line);

private:
    static void entry();
    void runBlock(uint3 blockIndex, dim3 block, dim3 grid, std::mt19937_64& random);
    void prepare(Fiber& fiber);
    void yield();
    void finish();
    Fiber* pickNext();
    void switchTo(Fiber* next, bool ending);
    void leaveForMain();
    void arrived(Fiber& self);
    [[noreturn]] void reportStuck();

    std::vector<std::unique_ptr<Fiber>> fibers_;
    std::vector<Fiber*> order_;
    std::size_t cursor_ = 0;
    unsigned threads_ = 0;
    unsigned live_ = 0;
    Fiber* current_ = nullptr;
    Fiber* next_ = nullptr;  // after the end of a fiber
    FiberContext main_;
    void* mainFakeStack_ = nullptr;
    const void* mainBottom_ = nullptr;
    std::size_t mainSize_ = 0;
    const std::function<void()>* body_ = nullptr;
    std::string fault_;
    bool faulted_ = false;
    bool running_ = false;
    struct Free {
        void operator()(void* p) const { std::free(p); }
    };
    std::unique_ptr<void, Free> shared_;
    // Barrier under way
    unsigned waiting_ = 0;
    const char* barrierFile_ = "";
    int barrierLine_ = 0;
    int voteOr_ = 0, voteAnd_ = 1, voteCount_ = 0;
    int votedOr_ = 0, votedAnd_ = 0, votedCount_ = 0;
};

thread_local Machine machine;

void Machine::arrived([[maybe_unused]] Fiber& self) {
#if defined(EC_ASAN)
    const void* bottom = nullptr;
    std::size_t size = 0;
    __sanitizer_finish_switch_fiber(self.fakeStack, &bottom, &size);
    if (mainBottom_ == nullptr) {
        mainBottom_ = bottom;
        mainSize_ = size;
    }
#endif
}

void Machine::switchTo(Fiber* next, [[maybe_unused]] bool ending) {
    Fiber* self = current_;
    current_ = next;
    currentThread = &next->thread;
#if defined(EC_ASAN)
    __sanitizer_start_switch_fiber(ending ? nullptr : &self->fakeStack, next->stack, kStackBytes);
#endif
    switchFiber(self->context, next->context);
    arrived(*self);
}

void Machine::leaveForMain() {
    Fiber* self = current_;
    current_ = nullptr;
    currentThread = nullptr;
#if defined(EC_ASAN)
    __sanitizer_start_switch_fiber(nullptr, mainBottom_, mainSize_);
#endif
    switchFiber(self->context, main_);
}

void Machine::entry() {
    Machine& self = machine;
    self.arrived(*self.current_);
    try {
        (*self.body_)();
        self.finish();
    } catch (const std::exception& error) {  // a fault, thrown to unwind this fiber's stack
        self.fault_ = error.what();
    }
    self.faulted_ = !self.fault_.empty();
    if (self.live_ == 0 || self.faulted_) self.leaveForMain();
    self.switchTo(self.next_, true);
    std::abort();  // an ended fiber is never resumed
}

void Machine::finish() {
    current_->state = State::kDone;
    --live_;
    if (waiting_ > 0) {
        throw KernelFault("divergent barrier: " + threadText(current_->thread) + " ended while " +
                          std::to_string(waiting_) + " threads wait in __syncthreads at " +
                          placeText(barrierFile_, barrierLine_));
    }
    if (live_ > 0) next_ = pickNext();
}

Fiber* Machine::pickNext() {
    for (unsigned i = 0; i < threads_; ++i) {
        Fiber* fiber = order_[cursor_];
        cursor_ = cursor_ + 1 == threads_ ? 0 : cursor_ + 1;
        if (fiber->state == State::kReady) return fiber;
    }
    reportStuck();
}

void Machine::yield() {
    Fiber* next = pickNext();
    if (next != current_) switchTo(next, false);
}

void Machine::reportStuck() {
    std::string text = "divergent threads, none can go on:";
    const Fiber* previous = nullptr;
    for (Fiber* fiber : order_) {
        if (fiber->state == State::kDone) continue;
        if (previous && previous->file == fiber->file && previous->line == fiber->line) continue;
        text += " " + threadText(fiber->thread) + " waits in " + fiber->waitName + " at " +
                placeText(fiber->file, fiber->line) + ";";
        previous = fiber;
    }
    throw KernelFault(text);
}

int Machine::barrier(Vote vote, int predicate, const char* file, int line) {
    Fiber& self = *current_;
    if (waiting_ > 0 && (line != barrierLine_ || std::strcmp(file, barrierFile_) != 0)) {
        throw KernelFault("divergent barrier: " + threadText(self.thread) + " reached __syncthreads at " +
                          placeText(file, line) + " while " + std::to_string(waiting_) + " threads wait at " +
                          placeText(barrierFile_, barrierLine_));
    }
    if (live_ != threads_) {
        throw KernelFault("divergent barrier: " + threadText(self.thread) + " reached __syncthreads at " +
                          placeText(file, line) + " after " + std::to_string(threads_ - live_) +
                          " threads of the block have ended");
    }
    barrierFile_ = file;
    barrierLine_ = line;
    self.waitName = "__syncthreads";
    self.file = file;
    self.line = line;
    voteOr_ |= predicate != 0;
    voteAnd_ &= predicate != 0;
    voteCount_ += predicate != 0;
    self.state = State::kAtBarrier;
    if (++waiting_ == threads_) {
        for (unsigned i = 0; i < threads_; ++i) fibers_[i]->state = State::kReady;
        waiting_ = 0;
        votedOr_ = voteOr_;
        votedAnd_ = voteAnd_;
        votedCount_ = voteCount_;
        voteOr_ = voteCount_ = 0;
        voteAnd_ = 1;
        cursor_ = 0;
    }
    yield();
    return vote == Vote::kOr ? votedOr_ : vote == Vote::kAnd ? votedAnd_ : vote == Vote::kCount ? votedCount_ : 0;
}

void Machine::collective(const char* name, unsigned mask, void* argument, Combine combine, const char* file, int line) {
    Fiber& self = *current_;
    const unsigned lane = self.thread.linear & 31u;
    const unsigned warpBase = self.thread.linear - lane;
    const unsigned lanes = std::min(32u, threads_ - warpBase);
    const unsigned present = lanes == 32 ? 0xffffffffu : (1u << lanes) - 1u;
    mask &= present;
    const auto here = [&] { return std::string(name) + " at " + placeText(file, line); };
    if (!(mask >> lane & 1u)) {
        throw KernelFault("divergent warp: " + threadText(self.thread) + " is not in its own mask in " + here());
    }
    self.state = State::kInCollective;
    self.waitName = name;
    self.file = file;
    self.line = line;
    self.mask = mask;
    self.argument = argument;
    self.combine = combine;
    void* arguments[32] = {};
    bool complete = true;
    for (unsigned i = 0; i < lanes; ++i) {
        if (!(mask >> i & 1u)) continue;
        const Fiber& other = *fibers_[warpBase + i];
        if (other.state == State::kDone) {
            throw KernelFault("divergent warp: " + threadText(self.thread) + " waits in " + here() + " for " +
                              threadText(other.thread) + ", which has ended");
        }
        if (other.state == State::kInCollective && (other.mask != mask || other.combine != combine ||
                                                    other.line != line || std::strcmp(other.file, file) != 0)) {
            throw KernelFault("divergent warp: " + threadText(self.thread) + " is in " + here() + " while " +
                              threadText(other.thread) + " is in " + other.waitName + " at " +
                              placeText(other.file, other.line));
        }
        complete = complete && other.state == State::kInCollective;
        arguments[i] = other.argument;
    }
    if (complete) {
        combine(arguments, mask);
        for (unsigned i = 0; i < lanes; ++i) {
            if (mask >> i & 1u) fibers_[warpBase + i]->state = State::kReady;
        }
    }
    yield();
}

void Machine::prepare(Fiber& fiber) {
    if (fiber.mapping == nullptr) {
        void* mapping = mmap(nullptr, kStackBytes + kGuardBytes, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (mapping == MAP_FAILED || mprotect(mapping, kGuardBytes, PROT_NONE) != 0) {
            throw std::runtime_error("host shim: no memory for the stack of a thread");
        }
        fiber.mapping = static_cast<char*>(mapping);
        fiber.stack = fiber.mapping + kGuardBytes;
    }
#if defined(EC_ASAN)
    __asan_unpoison_memory_region(fiber.stack, kStackBytes);
    fiber.fakeStack = nullptr;
#endif
    fiber.state = State::kReady;
    fiber.copies = {};
    prepareFiber(fiber.context, fiber.stack, kStackBytes, &Machine::entry);
}

void Machine::runBlock(uint3 blockIndex, dim3 block, dim3 grid, std::mt19937_64& random) {
    for (unsigned i = 0; i < threads_; ++i) {
        Fiber& fiber = *fibers_[i];
        fiber.thread.linear = i;
        fiber.thread.threadIndex = {i % block.x, i / block.x % block.y, i / (block.x * block.y)};
        fiber.thread.blockIndex = blockIndex;
        fiber.thread.blockSize = block;
        fiber.thread.gridSize = grid;
        prepare(fiber);
        order_[i] = &fiber;
    }
    if (chosenOrder == ThreadOrder::kReverse) std::reverse(order_.begin(), order_.end());
    if (chosenOrder == ThreadOrder::kSeeded) std::shuffle(order_.begin(), order_.end(), random);
    live_ = threads_;
    waiting_ = 0;
    voteOr_ = voteCount_ = 0;
    voteAnd_ = 1;
    cursor_ = 0;
    current_ = pickNext();
    currentThread = &current_->thread;
#if defined(EC_ASAN)
    __sanitizer_start_switch_fiber(&mainFakeStack_, current_->stack, kStackBytes);
#endif
    switchFiber(main_, current_->context);
#if defined(EC_ASAN)
    __sanitizer_finish_switch_fiber(mainFakeStack_, nullptr, nullptr);
#endif
    current_ = nullptr;
    currentThread = nullptr;
}

void Machine::launch(dim3 grid, dim3 block, std::size_t sharedBytes, const std::function<void()>& body) {
    const std::size_t threads = std::size_t(block.x) * block.y * block.z;
    const std::size_t blocks = std::size_t(grid.x) * grid.y * grid.z;
    if (threads == 0 || threads > kMaxThreads || blocks == 0 || grid.y > 65535 || grid.z > 65535 ||
        sharedBytes > kMaxSharedBytes || running_) {
        throw KernelFault("launch refused: " + std::to_string(blocks) + " blocks of " + std::to_string(threads) +
                          " threads with " + std::to_string(sharedBytes) + " bytes of shared memory" +
                          (running_ ? ", inside another launch" : ""));
    }
    threads_ = static_cast<unsigned>(threads);
    while (fibers_.size() < threads) fibers_.push_back(std::make_unique<Fiber>());
    order_.resize(threads);
    void* shared = nullptr;
    if (posix_memalign(&shared, 128, std::max<std::size_t>(sharedBytes, 1)) != 0) throw std::bad_alloc();
    shared_.reset(shared);
    body_ = &body;
    faulted_ = false;
    fault_.clear();
    mainBottom_ = nullptr;
    std::mt19937_64 random(chosenSeed);
    std::vector<std::size_t> blockOrder(blocks);
    std::iota(blockOrder.begin(), blockOrder.end(), std::size_t(0));
    if (chosenOrder == ThreadOrder::kReverse) std::reverse(blockOrder.begin(), blockOrder.end());
    if (chosenOrder == ThreadOrder::kSeeded) std::shuffle(blockOrder.begin(), blockOrder.end(), random);
    running_ = true;
    for (std::size_t index : blockOrder) {
        std::memset(shared_.get(), 0xff, sharedBytes);  // NaN in fp32 and bf16, -1 in integers
        const uint3 blockIndex = {static_cast<unsigned>(index % grid.x), static_cast<unsigned>(index / grid.x % grid.y),
                                  static_cast<unsigned>(index / (std::size_t(grid.x) * grid.y))};
        runBlock(blockIndex, block, grid, random);
        if (faulted_) break;
    }
    running_ = false;
    shared_.reset();
    if (faulted_) throw KernelFault(fault_);
}

}  // namespace

void setThreadOrder(ThreadOrder order, std::uint64_t seed) {
    chosenOrder = order;
    chosenSeed = seed;
}

void launch(dim3 grid, dim3 block, std::size_t sharedBytes, const std::function<void()>& body) {
    machine.launch(grid, block, sharedBytes, body);
}

void* dynamicShared() {
    return machine.shared();
}

void fault(const std::string& what, const char* file, int line) {
    throw KernelFault(what + " at " + placeText(file, line) + ", " + threadText(*currentThread));
}

int blockBarrier(Vote vote, int predicate, const char* file, int line) {
    return machine.barrier(vote, predicate, file, line);
}

void warpCollective(const char* name, unsigned mask, void* argument, Combine combine, const char* file, int line) {
    machine.collective(name, mask, argument, combine, file, line);
}

AsyncCopies& asyncCopies() {
    return machine.current().copies;
}

}  // namespace effconv::host

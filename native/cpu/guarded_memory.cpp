#include "guarded_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace effconv {
namespace {

constexpr size_t ALIGNMENT = 64;
constexpr unsigned char POISON = 0xff;  // of the block: a NaN in every floating type
constexpr unsigned char BESIDE = 0xa5;  // of what is left of its pages

size_t up(size_t bytes, size_t to) {
    return (bytes + to - 1) / to * to;
}

// A block's mapping: a guard page, whole pages that end with the block, a guard page.
struct Mapping {
    size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    size_t block;   // bytes with their rounding
    size_t usable;  // bytes of whole pages

    explicit Mapping(int64_t bytes)
        : block(up(bytes == 0 ? 1 : static_cast<size_t>(bytes), ALIGNMENT)), usable(up(block, page)) {}

    size_t total() const { return usable + 2 * page; }
    size_t before() const { return usable - block; }
};

void check(const unsigned char* from, size_t count, const char* where, const void* memory, int64_t bytes) {
    for (size_t i = 0; i < count; i++) {
        if (from[i] != BESIDE) {
            std::fprintf(stderr, "effconv: memory was overwritten %s the block of %lld bytes at %p\n", where,
                         static_cast<long long>(bytes), memory);
            std::abort();
        }
    }
}

}  // namespace

void* allocate_guarded(int64_t bytes) {
    Mapping m(bytes);
    void* mapped = mmap(nullptr, m.total(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) return nullptr;
    auto* pages = static_cast<unsigned char*>(mapped) + m.page;
    if (mprotect(pages, m.usable, PROT_READ | PROT_WRITE) != 0) {
        munmap(mapped, m.total());
        return nullptr;
    }
    std::memset(pages, BESIDE, m.usable);
    unsigned char* block = pages + m.before();
    std::memset(block, POISON, static_cast<size_t>(bytes));
    return block;
}

void free_guarded(void* memory, int64_t bytes) {
    Mapping m(bytes);
    auto* block = static_cast<unsigned char*>(memory);
    check(block - m.before(), m.before(), "before", memory, bytes);
    check(block + bytes, m.block - static_cast<size_t>(bytes), "behind", memory, bytes);
    munmap(block - m.before() - m.page, m.total());
}

}  // namespace effconv

// Blocks between pages that nobody may touch: whoever writes or reads past the end of one is stopped there.
#ifndef EFFCONV_CPU_GUARDED_MEMORY_H
#define EFFCONV_CPU_GUARDED_MEMORY_H

#include <cstdint>

namespace effconv {

// 64-byte aligned, ending within 63 bytes of a guard page, filled with 0xff; null if there is no memory.
void* allocate_guarded(int64_t bytes);

// Ends the process with a sentence on standard error if anything was written beside the block.
void free_guarded(void* memory, int64_t bytes);

}  // namespace effconv

#endif

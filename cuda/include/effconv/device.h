// What every .cu file includes: CUDA by nvcc, or the host shim by any other compiler, behind the same names.
//
//   EC_DYN_SHARED(type, name)   the block's dynamic shared memory as type*; there is no static shared memory
//   cpAsync16 / cpAsync4        asynchronous copy global -> shared; bytes from sourceBytes on become 0
//   cpAsyncCommit, cpAsyncWait<n>   close a group of copies; wait until at most n groups are under way
//   ldmatrixX2 / X4 [Trans]     8x8 matrices of 16-bit elements; lane i of each group of 8 names a row (16-byte
//   aligned) mmaBf16(d, a, b)            d += a * b, m16n8k16, bf16 operands, fp32 sums packBf16(low, high)         two
//   floats to two bf16, rounded to nearest even opaque(value)               the value, hidden from the optimiser
#pragma once

#include "effconv/types.h"

#if defined(__CUDACC__)
#include "effconv/device_nvcc.h"
#else
#include "shim.h"
#endif

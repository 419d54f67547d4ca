// Depthwise convolution (one channel per group), any odd k up to 33 at run time, stride 1 and 2, fp32 and bf16.
//
//   ec_depthwise_forward_*           y[n,oy,ox,c] = sum_{r,t} x[n, oy s + r - pad, ox s + t - pad, c] w[c,r,t] +
//   bias[c] ec_depthwise_data_gradient_*     the same walk over dy with flipped taps, dy dilated by the stride
//   ec_depthwise_weight_gradient_*   dw[c,r,t] = sum_{n,oy,ox} x[n, oy s + r - pad, ox s + t - pad, c] dy[n,oy,ox,c]
//   ec_depthwise_weight_gradient_sum adds the splits' partial sums in their order
//
// All three keep a halo tile [rows][columns][channels] in shared memory (cp.async, 16 bytes, where the channels are a
// multiple of 16 bytes; element by element otherwise) and slide a window of registers along x: 8 outputs (or 8 taps) of
// a channel pair per thread, so 64 FFMA need 4 pair loads of x and 4 of w. k only bounds loops: no register depends on
// it. Taps outside the image are skipped by rows and by columns of a tile. Sums are fp32, in a fixed order.
//
// Groups of two and more channels are served by dense_conv. Not done: Toeplitz bands on mma.sync for k >= 9 (bf16 runs
// on FFMA too), 16-byte stores (a thread stores a pair, 16 lanes a run of 64 bytes), stride-1 register reuse at
// stride 2. Floor on an H200 (bf16, N 512, 64 channels, 32x32): 31 us memory; math k = 7: 55 us FFMA. Measured: not yet
// on a card.

#include "depthwise_forward.cuh"
#include "depthwise_weight_gradient.cuh"
#include "effconv/kernel_table.h"
#include "split_sum.cuh"

namespace effconv {

extern "C" __global__ void __launch_bounds__(256, 2) ec_depthwise_forward_f32(const DepthwiseConvParams p) {
    depthwiseForward<float>(p, false);
}
extern "C" __global__ void __launch_bounds__(256, 2) ec_depthwise_forward_bf16(const DepthwiseConvParams p) {
    depthwiseForward<std::uint16_t>(p, false);
}
extern "C" __global__ void __launch_bounds__(256, 2) ec_depthwise_data_gradient_f32(const DepthwiseConvParams p) {
    depthwiseForward<float>(p, true);
}
extern "C" __global__ void __launch_bounds__(256, 2) ec_depthwise_data_gradient_bf16(const DepthwiseConvParams p) {
    depthwiseForward<std::uint16_t>(p, true);
}
extern "C" __global__ void __launch_bounds__(256, 2) ec_depthwise_weight_gradient_f32(const DepthwiseConvParams p) {
    depthwiseWeightGradient<float>(p);
}
extern "C" __global__ void __launch_bounds__(256, 2) ec_depthwise_weight_gradient_bf16(const DepthwiseConvParams p) {
    depthwiseWeightGradient<std::uint16_t>(p);
}
extern "C" __global__ void __launch_bounds__(256, 2) ec_depthwise_weight_gradient_sum(const DepthwiseConvParams p) {
    const std::int64_t count = static_cast<std::int64_t>(p.shape.inChannels) * p.shape.kernel * p.shape.kernel;
    sumSplits(p.workspace, count, p.splits, p.w, p.weightGradientBf16 != 0);
}

EC_KERNEL_TABLE(depthwise_conv)

}  // namespace effconv

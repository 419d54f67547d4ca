// Host side of the sums over pixels per channel (the gradient of a bias): parameters, checks, launches. See
// cuda/kernels/channel_sums.cu.
#pragma once

#include <algorithm>

#include "effconv/launch_sequence.h"

namespace effconv {

constexpr int kChannelSumsThreads = 256;
constexpr int kChannelSumsLanes = 32;  ///< most accesses of a block side by side; channels of a finishing block
constexpr int kChannelSumsMaxSplits = 1024;

/// Passed to every kernel of the family by value. The caller fills what stands above the line, planChannelSums the
/// rest.
struct ChannelSumsParams {
    const void* x = nullptr;  ///< [rows][channels], fp32 or bf16: N H W rows of an activation, N rows of a linear layer
    float* sums = nullptr;    ///< out: [channels], sums over the rows
    float* workspace = nullptr;  ///< LaunchSequence::workspaceBytes
    std::int64_t rows = 0;
    std::int64_t rowStride = 0;  ///< elements from row to row
    std::int32_t channels = 0;
    std::int32_t bf16 = 0;
    // -----------------------------------------------------------------------------------------------------------------
    std::int32_t vector = 1;  ///< channels of one access: 16 bytes of them, or 1
    std::int32_t lanes = 1;   ///< accesses of a block side by side, a power of two
    std::int32_t splits = 1;  ///< partial sums
    std::int32_t reserved = 0;
};

#define EC_KERNELS_channel_sums(X)             \
    X(ec_channel_sums_f32, ChannelSumsParams)  \
    X(ec_channel_sums_bf16, ChannelSumsParams) \
    X(ec_channel_sums_finish, ChannelSumsParams)

/// Checks the request, fills the lower part of the parameters and returns the launches. The workspace may still be null
/// (a caller learns its size here); its pointer must be set before the launch.
inline LaunchSequence planChannelSums(ChannelSumsParams& p, const DeviceLimits& limits) {
    const char* family = "channel_sums";
    Result result = checkCount(family, "rows", p.rows, std::int64_t(1) << 40);
    if (result.ok()) result = checkCount(family, "channels", p.channels, 1 << 20);
    if (result.ok() && p.rowStride < p.channels) {
        result = Result::fail(Status::kInvalidShape, "%s: rowStride is %lld; expected at least the %d channels", family,
                              static_cast<long long>(p.rowStride), p.channels);
    }
    const ArrayBase bases[] = {{"x", p.x, true}, {"sums", p.sums, true}, {"workspace", p.workspace, false}};
    if (result.ok()) result = checkBases(family, bases);
    if (!result.ok()) return LaunchSequence::refused(result);
    const int wide = p.bf16 ? 8 : 4;
    p.vector = p.channels % wide == 0 && p.rowStride % wide == 0 ? wide : 1;
    p.lanes = 1;
    while (p.lanes < kChannelSumsLanes && p.lanes < p.channels / p.vector) p.lanes *= 2;
    const std::int64_t channelBlocks = (p.channels / p.vector + p.lanes - 1) / p.lanes;
    const std::int64_t blockRows = kChannelSumsThreads / p.lanes;
    const std::int64_t full = std::min<std::int64_t>(kChannelSumsMaxSplits, (p.rows + blockRows - 1) / blockRows);
    p.splits = static_cast<std::int32_t>(
        std::clamp<std::int64_t>(std::int64_t(4) * limits.multiprocessors / channelBlocks, 1, full));
    LaunchSequence sequence;
    sequence.workspaceBytes = std::int64_t(p.splits) * p.channels * 4;
    sequence.add(family, p.bf16 ? "ec_channel_sums_bf16" : "ec_channel_sums_f32",
                 {channelBlocks * p.splits, kChannelSumsThreads, std::int64_t(kChannelSumsThreads) * p.vector * 4},
                 limits);
    sequence.add(
        family, "ec_channel_sums_finish",
        {(p.channels + kChannelSumsLanes - 1) / kChannelSumsLanes, kChannelSumsThreads, kChannelSumsThreads * 8},
        limits);
    return sequence;
}

}  // namespace effconv

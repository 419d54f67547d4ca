// Host side of the batch augmentation: draws, parameters, checks, launch. See cuda/kernels/augment.cu.
#pragma once

#include <algorithm>

#include "effconv/launch_sequence.h"
#include "effconv/random.h"

namespace effconv {

constexpr int kAugmentThreads = 256;
constexpr int kAugmentPerThread = 4;  ///< neighbouring elements of the output

/// Crop and flip of one image: output pixel (h, w) shows input pixel (h + dy, w' + dx), w' = width - 1 - w if flipped.
struct AugmentDraw {
    std::int32_t dy = 0;
    std::int32_t dx = 0;
    std::int32_t flip = 0;
};

/// The draw of image `image` (its number in the dataset) in epoch `epoch`: dy, dx uniform in [-pad, pad], flip with
/// probability 1/2 where allowed. It depends on nothing else, so neither batch size nor order changes it.
EC_HD AugmentDraw augmentDraw(std::uint64_t seed, std::uint64_t epoch, std::uint64_t image, int pad, bool flips) {
    const RandomBlock block = randomBlock(seed, epoch, image);
    const std::uint32_t shifts = 2u * static_cast<std::uint32_t>(pad) + 1u;
    return {static_cast<std::int32_t>(randomBelow(block.word[0], shifts)) - pad,
            static_cast<std::int32_t>(randomBelow(block.word[1], shifts)) - pad,
            flips ? static_cast<std::int32_t>(block.word[2] >> 31) : 0};
}

/// Parameters of both kernels. Images are dense uint8 [height][width][channels].
struct AugmentParams {
    const std::uint8_t* dataset = nullptr;  ///< [datasetCount] images
    const std::int64_t* indices = nullptr;  ///< [batch] numbers of images; null: the first `batch` images. One outside
                                            ///< the dataset makes an image of NaN
    const AugmentDraw* draws = nullptr;     ///< [batch] given draws; null: augmentDraw(seed, epoch, index, pad, flips)
    const float* mean = nullptr;            ///< [channels], of values in 0..1
    const float* deviation = nullptr;       ///< [channels]
    void* y = nullptr;                      ///< out: [batch, height, width, channels], fp32 or bf16, dense
    std::uint64_t seed = 0;
    std::uint64_t epoch = 0;
    std::int64_t datasetCount = 0;
    std::int32_t batch = 0, height = 0, width = 0, channels = 0;
    std::int32_t pad = 0;
    std::int32_t flips = 0;
    std::int32_t bf16 = 0;
    std::int32_t reserved = 0;
};

#define EC_KERNELS_augment(X)        \
    X(ec_augment_f32, AugmentParams) \
    X(ec_augment_bf16, AugmentParams)

/// Checks the request and returns the launch.
inline LaunchSequence planAugment(const AugmentParams& p, const DeviceLimits& limits) {
    const char* family = "augment";
    const struct {
        const char* name;
        std::int64_t value, most;
    } counts[] = {{"datasetCount", p.datasetCount, INT64_MAX},
                  {"batch", p.batch, INT64_MAX},
                  {"height", p.height, 32768},
                  {"width", p.width, 32768},
                  {"channels", p.channels, 1024}};
    Result result;
    for (const auto& count : counts) {
        if (result.ok()) result = checkCount(family, count.name, count.value, count.most);
    }
    const std::int64_t imageElements = std::int64_t(p.height) * p.width * p.channels;
    if (result.ok()) result = checkCount(family, "height * width * channels", imageElements, INT32_MAX - 1024);
    if (result.ok() && (p.pad < 0 || p.pad > 32768)) {
        result = Result::fail(Status::kInvalidShape, "%s: pad is %d; expected 0 to 32768", family, p.pad);
    }
    if (result.ok() && p.indices == nullptr && p.batch > p.datasetCount) {
        result = Result::fail(Status::kInvalidShape, "%s: a batch of %d without indices from %lld images", family,
                              p.batch, static_cast<long long>(p.datasetCount));
    }
    const ArrayBase bases[] = {
        {"dataset", p.dataset, true}, {"indices", p.indices, false},    {"draws", p.draws, false},
        {"mean", p.mean, true},       {"deviation", p.deviation, true}, {"y", p.y, true},
    };
    if (result.ok()) result = checkBases(family, bases);
    if (!result.ok()) return LaunchSequence::refused(result);
    const std::int64_t pieces = (imageElements + kAugmentPerThread - 1) / kAugmentPerThread;
    LaunchSequence sequence;
    sequence.add(family, p.bf16 ? "ec_augment_bf16" : "ec_augment_f32",
                 {p.batch * ((pieces + kAugmentThreads - 1) / kAugmentThreads), kAugmentThreads, 0}, limits);
    return sequence;
}

}  // namespace effconv

// Counter-based random numbers: the same (seed, stream, counter) gives the same number on every device, in any order.
//
// Philox 4x32-10 of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (SC 2011); key = seed, counter =
// (counter, stream). One call yields four 32-bit words.
#pragma once

#include "effconv/types.h"

namespace effconv {

struct RandomBlock {
    std::uint32_t word[4];
};

/// The raw bijection: 128-bit counter, 64-bit key, low word first.
EC_HD RandomBlock philox4x32(RandomBlock counter, std::uint32_t key0, std::uint32_t key1) {
    for (int round = 0; round < 10; ++round) {
        const std::uint64_t product0 = std::uint64_t(0xD2511F53u) * counter.word[0];
        const std::uint64_t product1 = std::uint64_t(0xCD9E8D57u) * counter.word[2];
        counter = {{static_cast<std::uint32_t>(product1 >> 32) ^ counter.word[1] ^ key0,
                    static_cast<std::uint32_t>(product1),
                    static_cast<std::uint32_t>(product0 >> 32) ^ counter.word[3] ^ key1,
                    static_cast<std::uint32_t>(product0)}};
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
    return counter;
}

/// Four words for position `counter` of stream `stream` (a layer, an image, a step) under `seed`.
EC_HD RandomBlock randomBlock(std::uint64_t seed, std::uint64_t stream, std::uint64_t counter) {
    const RandomBlock position = {{static_cast<std::uint32_t>(counter), static_cast<std::uint32_t>(counter >> 32),
                                   static_cast<std::uint32_t>(stream), static_cast<std::uint32_t>(stream >> 32)}};
    return philox4x32(position, static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32));
}

/// One word: element `index` of the stream; four neighbouring indices share a block.
EC_HD std::uint32_t randomWord(std::uint64_t seed, std::uint64_t stream, std::uint64_t index) {
    return randomBlock(seed, stream, index >> 2).word[index & 3];
}

/// Uniform in [0, 1) on a grid of 2^-24, exact in float.
EC_HD float uniformFromWord(std::uint32_t word) {
    return static_cast<float>(word >> 8) * (1.0f / 16777216.0f);
}

/// Uniform in [0, 1), element `index` of the stream.
EC_HD float randomUniform(std::uint64_t seed, std::uint64_t stream, std::uint64_t index) {
    return uniformFromWord(randomWord(seed, stream, index));
}

/// Uniform integer in [0, bound) by multiplication (bias below bound / 2^32); bound >= 1.
EC_HD std::uint32_t randomBelow(std::uint32_t word, std::uint32_t bound) {
    return static_cast<std::uint32_t>((std::uint64_t(word) * bound) >> 32);
}

}  // namespace effconv

// What the benchmark measures: the shapes of each suite, their operations and bytes, and the time below which no kernel
// can be on a device of given rates. Plain C++: no CUDA here.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "effconv/kernels/convolution.h"
#include "effconv/synthesis.h"

namespace effconv::bench {

/// Rates of a device. The defaults are assumed, not measured by this program: bf16 and memory as other people measured
/// them on H200 cards with library kernels; fp32 about 90 % of the data sheet's 67 TFLOP/s.
struct Rates {
    double tensorFlops = 788e12;  ///< bf16 with fp32 sums, flop/s
    double fp32Flops = 60e12;     ///< FFMA, flop/s
    double bytes = 4.3e12;        ///< device memory, byte/s
};

enum class Family { kDense, kDepthwise, kSynthesisForward, kSynthesisBackward };

/// One measurement. Convolutions use shape and pass, synthesis uses layers.
struct Case {
    std::string suite;
    std::string name;
    Family family = Family::kDense;
    ConvPass pass = ConvPass::kForward;
    ConvShape shape;
    bool bf16 = true;
    std::vector<SynthesisLayer> layers;
};

/// What a case has to do, counted from its shape alone.
struct Work {
    double flops = 0;          ///< two per multiplication, all taps
    double validFlops = 0;     ///< without taps that lie outside the image
    double toeplitzFlops = 0;  ///< depthwise on the tensor units: with the zeros of its bands
    double bytes = 0;          ///< every operand once
};

/// Lower bound of the time, in seconds, and what sets it: "memory", "tensor", "ffma", "toeplitz".
struct Floor {
    double memory = 0;
    double math = 0;
    double ffma = 0;  ///< the same arithmetic on FFMA alone
    double seconds = 0;
    const char* bound = "";
};

/// Names of the suites, in the order of printing.
const std::vector<std::string>& suiteNames();
/// The cases of a suite; empty when there is none of that name.
std::vector<Case> casesOf(const std::string& suite);

Work workOf(const Case& test);
Floor floorOf(const Case& test, const Rates& rates);

/// "forward", "data gradient", "weight gradient", or the direction of a synthesis.
const char* passName(const Case& test);

}  // namespace effconv::bench

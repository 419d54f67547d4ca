// The error gate: outputs at drawn places, formed in fp64 from the same random elements.
// Every error is |got - want| / |want| over the samples (Euclidean norms); NaN when a sample is.
#pragma once

#include "cases.h"
#include "cuda_memory.h"

namespace effconv::bench {

/// out is what the case's pass wrote, fp32 or bf16.
double sampledConvError(const Case& test, const CudaMemory& out, bool bf16);

/// Elements of the arrays of a synthesis case, and its soft sizes: half a step below the grid, where the mask has a
/// slope.
struct SynthesisSizes {
    std::size_t features = 0, coefficients = 0, weights = 0;
    std::vector<float> v;
};
SynthesisSizes synthesisSizes(const Case& test);

double sampledSynthesisError(const Case& test, const CudaMemory& weights);
double sampledSynthesisGradientError(const Case& test, const CudaMemory& dH, const CudaMemory& dA);

}  // namespace effconv::bench

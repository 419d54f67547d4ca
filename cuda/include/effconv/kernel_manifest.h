// The manifest that travels with the device code, and the handshake that compares it with the code that will use it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "effconv/types.h"

namespace effconv {

/// Name, family (module file <family>.fatbin) and parameter-struct size of one kernel.
struct KernelSignature {
    const char* kernel;
    const char* family;
    std::uint32_t parameterBytes;
};

/// Signatures this build was compiled with, in a fixed order; count receives how many.
const KernelSignature* kernelSignatures(int* count);

/// Version of the kernel library, as in the manifest ("0.1.0").
const char* kernelLibraryVersion();

/// Tells sources apart: a digest of the kernels and of the headers that plan their launches (cuda/kernels,
/// cuda/include).
const char* kernelSources();

/// Where device code comes from: for people, and for the choice of a card that can run it. Not compared by the
/// handshake.
struct DeviceCodeOrigin {
    std::string commit = "unknown";  ///< git commit
    std::string toolkit = "0.0";     ///< of CUDA: "13.0"
    std::vector<int> targets;        ///< compute capabilities times ten with machine code; the last also as PTX
};

/// The manifest of this build as JSON.
std::string kernelManifestJson(const DeviceCodeOrigin& origin);

/// Compares a manifest read beside the device code with this build: refuses another version, a missing or surplus
/// kernel, a parameter struct of another size and other sources (tables in device memory and constants that both sides
/// know may differ where no struct does); the message shows both sides.
Result checkKernelManifest(const std::string& manifestJson);

}  // namespace effconv

// The manifest that travels with the device code, and the handshake that compares it with the code that will use it.
#pragma once

#include <cstdint>
#include <string>

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

/// The manifest of this build as JSON. commit is the git commit it was built from ("unknown" outside a checkout).
std::string kernelManifestJson(const std::string& commit);

/// Compares a manifest read beside the device code with this build: refuses another version, a missing or surplus kernel
/// and a parameter struct of another size; the message shows both sides. The commit is informative and not compared.
Result checkKernelManifest(const std::string& manifestJson);

}  // namespace effconv

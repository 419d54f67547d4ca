// The manifest of this build passes its own handshake; every kind of mismatch is refused with both sides in the
// message.
#include <string>

#include "effconv/kernel_manifest.h"
#include "effconv/kernel_registry.h"
#include "test.h"

using namespace effconv;
using namespace effconv::test;

namespace {

std::string replaced(std::string text, const std::string& from, const std::string& to) {
    const std::size_t at = text.find(from);
    if (at == std::string::npos) throw Failure("no \"" + from + "\" in the manifest");
    return text.replace(at, from.size(), to);
}

bool refusedWith(const std::string& manifest, const std::string& expected) {
    const Result result = checkKernelManifest(manifest);
    return !result.ok() && std::string(result.message).find(expected) != std::string::npos;
}

}  // namespace

EC_TEST(own_manifest_is_accepted) {
    EC_CHECK(checkKernelManifest(kernelManifestJson({"abc", "13.0", {75, 90}})).ok());
}

EC_TEST(mismatches_are_refused) {
    const std::string manifest = kernelManifestJson({"abc", "13.0", {75, 90}});
    int count = 0;
    const KernelSignature* signatures = kernelSignatures(&count);
    EC_CHECK(count > 0);
    const std::string name = signatures[0].kernel;
    const std::string bytes = std::to_string(signatures[0].parameterBytes);
    EC_CHECK(refusedWith(replaced(manifest, kernelLibraryVersion(), "9.9.9"), "version 9.9.9"));
    EC_CHECK(refusedWith(replaced(manifest, "\"" + name + "\"", "\"ec_unheard_of\""), "lacks kernel " + name));
    EC_CHECK(refusedWith(
        replaced(manifest, "  ]\n}", ", {\"name\": \"ec_extra\", \"module\": \"x\", \"parameterBytes\": 8}]}"),
        "ec_extra"));
    EC_CHECK(refusedWith(replaced(manifest, "\"parameterBytes\": " + bytes, "\"parameterBytes\": 12"), "12 bytes"));
    EC_CHECK(refusedWith(replaced(manifest, kernelSources(), "0123456789abcdef"), "other sources (0123456789abcdef)"));
    EC_CHECK(refusedWith(replaced(manifest, "\"sources\"", "\"recipes\""), "other sources (unknown)"));
    EC_CHECK(std::string(kernelSources()).size() == 16);
    EC_CHECK(refusedWith("", "not a manifest"));
}

EC_TEST(manifest_and_linked_kernels_agree) {
    int count = 0, linked = 0;
    const KernelSignature* signatures = kernelSignatures(&count);
    allKernels(&linked);
    EC_CHECK(count == linked);
    for (int i = 0; i < count; ++i) {
        const KernelEntry* entry = findKernel(signatures[i].kernel);
        EC_CHECK(entry != nullptr && entry->parameterBytes == signatures[i].parameterBytes);
    }
}

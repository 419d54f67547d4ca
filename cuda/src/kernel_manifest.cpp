#include "effconv/kernel_manifest.h"

#include <cstdlib>
#include <map>
#include <vector>

namespace effconv {

namespace {

/// The value of "key": "text" in one JSON object as this file writes it (no escapes occur in names or versions).
bool readText(const std::string& json, const std::string& key, std::string& value) {
    const std::string marker = "\"" + key + "\": \"";
    const std::size_t start = json.find(marker);
    if (start == std::string::npos) return false;
    const std::size_t end = json.find('"', start + marker.size());
    if (end == std::string::npos) return false;
    value = json.substr(start + marker.size(), end - start - marker.size());
    return true;
}

bool readNumber(const std::string& json, const std::string& key, long& value) {
    const std::string marker = "\"" + key + "\": ";
    const std::size_t start = json.find(marker);
    if (start == std::string::npos) return false;
    char* end = nullptr;
    value = std::strtol(json.c_str() + start + marker.size(), &end, 10);
    return end != json.c_str() + start + marker.size();
}

}  // namespace

std::string kernelManifestJson(const DeviceCodeOrigin& origin) {
    std::string targets;
    for (const int target : origin.targets) targets += (targets.empty() ? "" : ", ") + std::to_string(target);
    int count = 0;
    const KernelSignature* signatures = kernelSignatures(&count);
    std::string json = "{\n  \"format\": 1,\n  \"version\": \"" + std::string(kernelLibraryVersion()) +
                       "\",\n  \"sources\": \"" + kernelSources() + "\",\n  \"commit\": \"" + origin.commit +
                       "\",\n  \"toolkit\": \"" + origin.toolkit + "\",\n  \"targets\": [" + targets +
                       "],\n  \"ptx\": " + std::to_string(origin.targets.empty() ? 0 : origin.targets.back()) +
                       ",\n  \"kernels\": [\n";
    for (int i = 0; i < count; ++i) {
        json += std::string("    {\"name\": \"") + signatures[i].kernel + "\", \"module\": \"" + signatures[i].family +
                ".fatbin\", \"parameterBytes\": " + std::to_string(signatures[i].parameterBytes) + "}" +
                (i + 1 < count ? ",\n" : "\n");
    }
    return json + "  ]\n}\n";
}

Result checkKernelManifest(const std::string& manifestJson) {
    std::string version;
    if (!readText(manifestJson, "version", version)) {
        return Result::fail(Status::kUnsupported, "kernel manifest: not a manifest (no version in it)");
    }
    if (version != kernelLibraryVersion()) {
        return Result::fail(Status::kUnsupported,
                            "kernel manifest: device code is version %s, this library is version %s", version.c_str(),
                            kernelLibraryVersion());
    }
    std::map<std::string, long> found;
    std::size_t at = manifestJson.find("\"kernels\"");
    while (at != std::string::npos && (at = manifestJson.find('{', at)) != std::string::npos) {
        const std::size_t end = manifestJson.find('}', at);
        if (end == std::string::npos) break;
        const std::string object = manifestJson.substr(at, end - at);
        std::string name;
        long bytes = 0;
        if (!readText(object, "name", name) || !readNumber(object, "parameterBytes", bytes)) {
            return Result::fail(Status::kUnsupported, "kernel manifest: unreadable kernel entry %.80s", object.c_str());
        }
        found[name] = bytes;
        at = end;
    }
    int count = 0;
    const KernelSignature* signatures = kernelSignatures(&count);
    for (int i = 0; i < count; ++i) {
        const auto entry = found.find(signatures[i].kernel);
        if (entry == found.end()) {
            return Result::fail(Status::kUnsupported, "kernel manifest: device code lacks kernel %s of this library",
                                signatures[i].kernel);
        }
        if (entry->second != static_cast<long>(signatures[i].parameterBytes)) {
            return Result::fail(Status::kUnsupported,
                                "kernel manifest: %s takes %ld bytes of parameters in the device code, %u here",
                                signatures[i].kernel, entry->second, signatures[i].parameterBytes);
        }
        found.erase(entry);
    }
    if (!found.empty()) {
        return Result::fail(Status::kUnsupported, "kernel manifest: device code has kernel %s, unknown to this library",
                            found.begin()->first.c_str());
    }
    std::string sources;
    if (!readText(manifestJson, "sources", sources) || sources != kernelSources()) {
        return Result::fail(Status::kUnsupported,
                            "kernel manifest: device code was built from other sources (%s) than this library (%s)",
                            sources.empty() ? "unknown" : sources.c_str(), kernelSources());
    }
    return {};
}

}  // namespace effconv

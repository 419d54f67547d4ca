#include "plan.h"

#include <string>
#include <unordered_map>

#include "effconv/kernel_manifest.h"

namespace {

using Area = ec_plan::Area;

std::int32_t kernelIndex(const char* name) {
    static const std::unordered_map<std::string, std::int32_t> indices = [] {
        std::unordered_map<std::string, std::int32_t> all;
        int count = 0;
        const effconv::KernelSignature* signatures = effconv::kernelSignatures(&count);
        for (int i = 0; i < count; ++i) all.emplace(signatures[i].kernel, i);
        return all;
    }();
    const auto found = indices.find(name);
    return found == indices.end() ? -1 : found->second;
}

const effconv::KernelSignature* signature(std::int32_t index) {
    int count = 0;
    const effconv::KernelSignature* signatures = effconv::kernelSignatures(&count);
    return index >= 0 && index < count ? &signatures[index] : nullptr;
}

}  // namespace

void ec_plan::reset() {
    launches.clear();
    parameters.clear();
    table.clear();
    relocations.clear();
    placed.clear();
    workspaceBytes = 0;
    lastParameters = 0;
}

std::uintptr_t ec_plan::reserveBytes(Area area, std::int64_t bytes) {
    const auto from = [&](std::int64_t used) { return (used + 63) / 64 * 64; };
    if (area == Area::kWorkspace) {
        const std::int64_t start = from(workspaceBytes);
        workspaceBytes = start + bytes;
        return effconv_launch::kPlaceholder + static_cast<std::uintptr_t>(start);
    }
    const std::int64_t start = from(static_cast<std::int64_t>(table.size()));
    table.resize(static_cast<std::size_t>(start + bytes));
    return effconv_launch::kPlaceholder + static_cast<std::uintptr_t>(start);
}

std::size_t ec_plan::addParameters(const void* bytes, std::size_t count) {
    lastParameters = (parameters.size() + 15) / 16 * 16;
    parameters.resize(lastParameters + count);
    std::memcpy(parameters.data() + lastParameters, bytes, count);
    return lastParameters;
}

ec_status ec_plan::addLaunch(const effconv::KernelLaunch& launch, std::size_t at, std::size_t bytes) {
    const std::int32_t kernel = kernelIndex(launch.kernel);
    const effconv::KernelSignature* known = signature(kernel);
    if (known == nullptr || known->parameterBytes != bytes) {
        return ec_fail(EC_INTERNAL, "kernel %s takes %zu bytes of parameters here, %zu in the manifest", launch.kernel,
                       bytes, known == nullptr ? std::size_t(0) : std::size_t(known->parameterBytes));
    }
    launches.push_back({kernel, launch.shape, at, bytes});
    return EC_OK;
}

ec_status ec_plan::check(const effconv::Result& result) {
    if (result.ok()) return EC_OK;
    return ec_fail(EC_INVALID_ARGUMENT, "%s", result.message);
}

ec_status ec_plan::place(std::int64_t tableAddress, std::int64_t workspaceAddress) {
    if ((!table.empty() && tableAddress == 0) || (workspaceBytes > 0 && workspaceAddress == 0)) {
        return ec_fail(EC_INVALID_ARGUMENT, "ec_plan_place: %zu bytes of table and %lld of workspace need an address",
                       table.size(), static_cast<long long>(workspaceBytes));
    }
    placed = parameters;
    for (const Relocation& relocation : relocations) {
        std::uint64_t pointer;
        std::memcpy(&pointer, placed.data() + relocation.at, sizeof pointer);
        const std::int64_t base = relocation.area == Area::kTable ? tableAddress : workspaceAddress;
        pointer = static_cast<std::uint64_t>(base) + (pointer - effconv_launch::kPlaceholder);
        std::memcpy(placed.data() + relocation.at, &pointer, sizeof pointer);
    }
    return EC_OK;
}

std::int32_t ec_kernel_count(void) {
    int count = 0;
    effconv::kernelSignatures(&count);
    return count;
}

const char* ec_kernel_name(std::int32_t index) {
    return signature(index) ? signature(index)->kernel : nullptr;
}
const char* ec_kernel_family(std::int32_t index) {
    return signature(index) ? signature(index)->family : nullptr;
}

std::int32_t ec_kernel_parameter_bytes(std::int32_t index) {
    return signature(index) ? static_cast<std::int32_t>(signature(index)->parameterBytes) : 0;
}

const char* ec_kernel_library_version(void) {
    return effconv::kernelLibraryVersion();
}

const char* ec_kernel_sources(void) {
    return effconv::kernelSources();
}

ec_status ec_check_kernel_manifest(const char* manifest) {
    if (manifest == nullptr) return ec_fail(EC_INVALID_ARGUMENT, "kernel manifest: none given");
    const effconv::Result result = effconv::checkKernelManifest(manifest);
    return result.ok() ? EC_OK : ec_fail(EC_INVALID_ARGUMENT, "%s", result.message);
}

ec_plan* ec_plan_create(std::int64_t sharedBytesPerBlock, std::int64_t gridX, std::int32_t multiprocessors) {
    effconv::DeviceLimits limits;
    limits.sharedBytesPerBlock = sharedBytesPerBlock;
    limits.gridX = gridX;
    limits.multiprocessors = multiprocessors;
    return new (std::nothrow) ec_plan(limits);
}

void ec_plan_destroy(ec_plan* plan) {
    delete plan;
}

std::int32_t ec_plan_launches(const ec_plan* plan) {
    return static_cast<std::int32_t>(plan->launches.size());
}
std::int64_t ec_plan_workspace_bytes(const ec_plan* plan) {
    return plan->workspaceBytes;
}
std::int64_t ec_plan_table_bytes(const ec_plan* plan) {
    return static_cast<std::int64_t>(plan->table.size());
}

std::int64_t ec_plan_table(const ec_plan* plan) {
    return static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(plan->table.data()));
}

ec_status ec_plan_place(ec_plan* plan, std::int64_t table, std::int64_t workspace) {
    try {
        return plan->place(table, workspace);
    } catch (const std::bad_alloc&) {
        return ec_fail(EC_OUT_OF_MEMORY, "ec_plan_place: no host memory");
    }
}

ec_status ec_plan_launch(const ec_plan* plan, std::int32_t index, ec_launch* launch) {
    if (index < 0 || static_cast<std::size_t>(index) >= plan->launches.size() ||
        plan->placed.size() != plan->parameters.size()) {
        return ec_fail(EC_INVALID_ARGUMENT, "ec_plan_launch: launch %d of %zu, before ec_plan_place", index,
                       plan->launches.size());
    }
    const ec_plan::Launch& from = plan->launches[static_cast<std::size_t>(index)];
    launch->kernel = from.kernel;
    launch->threads = from.shape.threads;
    launch->blocks = from.shape.blocks;
    launch->shared_bytes = from.shape.sharedBytes;
    launch->parameters =
        static_cast<std::int64_t>(reinterpret_cast<std::uintptr_t>(plan->placed.data() + from.parameters));
    launch->parameter_bytes = static_cast<std::int64_t>(from.parameterBytes);
    return EC_OK;
}

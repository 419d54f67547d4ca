// What ec_plan_* functions build: launches, their parameter structs, a host table, and where addresses that are not
// known yet have to be entered.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <vector>

#include "cpu/error.h"
#include "effconv/launch_sequence.h"
#include "effconv_launch.h"

// Stand-ins for a workspace and a table without an address yet: aligned and not null, so that the families' checks
// pass.
namespace effconv_launch {
constexpr std::uintptr_t kPlaceholder = 256;
}

struct ec_plan {
    enum class Area { kTable, kWorkspace };

    explicit ec_plan(const effconv::DeviceLimits& deviceLimits) : limits(deviceLimits) {}

    effconv::DeviceLimits limits;

    /// Begins a new operation.
    void reset();

    /// Reserves bytes in an area, from a 64-byte boundary on; returns a stand-in for their address, to be named in
    /// reserved pointers of a parameter struct.
    template <typename T>
    T* reserve(Area area, std::int64_t count) {
        return reinterpret_cast<T*>(reserveBytes(area, count * static_cast<std::int64_t>(sizeof(T))));
    }

    /// Copies values into the table; returns a stand-in for their device address.
    template <typename T>
    T* enter(const T* values, std::int64_t count) {
        T* stand_in = reserve<T>(Area::kTable, count);
        if (count > 0) std::memcpy(tableAt(stand_in), values, static_cast<std::size_t>(count) * sizeof(T));
        return stand_in;
    }

    /// The host copy behind a stand-in of the table.
    template <typename T>
    T* tableAt(T* standIn) {
        return reinterpret_cast<T*>(table.data() +
                                    (reinterpret_cast<std::uintptr_t>(standIn) - effconv_launch::kPlaceholder));
    }

    /// Adds the sequence's launches, all with this parameter struct; a refusal becomes the plan's.
    template <typename P>
    ec_status add(const effconv::LaunchSequence& sequence, const P& parameters) {
        if (const ec_status refused = check(sequence.result)) return refused;
        const std::size_t at = addParameters(&parameters, sizeof parameters);
        for (int i = 0; i < sequence.count; ++i) {
            if (const ec_status refused = addLaunch(sequence.launches[i], at, sizeof parameters)) return refused;
        }
        return EC_OK;
    }

    /// Notes that a pointer member of the parameter struct added last is a stand-in.
    template <typename P, typename T>
    void relocate(Area area, T* P::*member) {
        static_assert(sizeof(T*) == 8, "device addresses have 64 bits");
        static const P model{};
        const std::ptrdiff_t offset =
            reinterpret_cast<const char*>(&(model.*member)) - reinterpret_cast<const char*>(&model);
        relocations.push_back({lastParameters + static_cast<std::size_t>(offset), area});
    }

    /// Turns a refusal into a status, and drops what was planned so far.
    ec_status check(const effconv::Result& result);

    ec_status place(std::int64_t tableAddress, std::int64_t workspaceAddress);

    struct Launch {
        std::int32_t kernel;
        effconv::LaunchPlan shape;
        std::size_t parameters;
        std::size_t parameterBytes;
    };
    std::vector<Launch> launches;
    std::vector<unsigned char> parameters;
    std::vector<unsigned char> placed;  ///< parameters with the addresses entered; empty before place
    std::vector<unsigned char> table;
    std::int64_t workspaceBytes = 0;

private:
    struct Relocation {
        std::size_t at;
        Area area;
    };

    std::uintptr_t reserveBytes(Area area, std::int64_t bytes);
    std::size_t addParameters(const void* bytes, std::size_t count);
    ec_status addLaunch(const effconv::KernelLaunch& launch, std::size_t at, std::size_t bytes);

    std::vector<Relocation> relocations;
    std::size_t lastParameters = 0;
};

namespace effconv_launch {

/// A device address as the parameter structs hold it.
template <typename T>
T* at(std::int64_t address) {
    return reinterpret_cast<T*>(static_cast<std::uintptr_t>(address));
}

/// Runs the body of an entry function: begins a new operation, refuses a null plan and turns a lack of memory into a
/// status.
template <typename Body>
ec_status planned(const char* operation, ec_plan* plan, Body body) {
    if (plan == nullptr) return ec_fail(EC_INVALID_ARGUMENT, "%s: plan is null", operation);
    try {
        plan->reset();
        const ec_status status = body();
        if (status != EC_OK) plan->reset();
        return status;
    } catch (const std::bad_alloc&) {
        plan->reset();
        return ec_fail(EC_OUT_OF_MEMORY, "%s: no host memory for the plan", operation);
    }
}

/// Refuses types that no kernel serves.
inline ec_status checkType(const char* operation, ec_type type) {
    if (type == EC_F32 || type == EC_BF16) return EC_OK;
    return ec_fail(EC_INVALID_ARGUMENT, "%s: type %d; a card computes in EC_F32 or EC_BF16", operation, type);
}

/// Narrows a dimension; what does not fit becomes a value that every family refuses by name.
inline std::int32_t narrow(std::int64_t value) {
    return value > INT32_MAX ? INT32_MAX : value < INT32_MIN ? INT32_MIN : static_cast<std::int32_t>(value);
}

}  // namespace effconv_launch

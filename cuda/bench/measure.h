// The GPU half of the benchmark. A build without CUDA links measure_none.cpp, whose openBenchDevice says so.
#pragma once

#include <memory>
#include <string>

#include "report.h"

namespace effconv::bench {

/// A card, opened once. Every method throws std::runtime_error with the driver's text when the card fails.
class Device {
public:
    virtual ~Device() = default;
    virtual std::string description() const = 0;
    /// Copy, mma.sync and FFMA rates, measured when the device was opened.
    virtual Rates measuredRates() const = 0;
    /// Runs one case on random data and poisoned outputs, checks sampled outputs against fp64, then times it.
    virtual Measurement measure(const Case& test) = 0;
};

std::unique_ptr<Device> openBenchDevice(bool coldCache, int repeats);

}  // namespace effconv::bench

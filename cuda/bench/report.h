// Rows of the benchmark and how they are written: table, CSV, JSON. Times in microseconds.
#pragma once

#include <string>
#include <vector>

#include "cases.h"

namespace effconv::bench {

/// Times and error of one case on a device.
struct Measurement {
    double median = 0, p10 = 0, p90 = 0;  ///< seconds
    double error = 0;                     ///< |got - want| / |want| over sampled outputs, fp64 reference
    double errorLimit = 0;
    double workspaceBytes = 0;
    double planSeconds = 0;                          ///< host time from a shape to its launches, tables included
    bool ok() const { return error <= errorLimit; }  // false for NaN
};

struct Row {
    Case test;
    Work work;
    Floor floor;
    bool measured = false;
    Measurement measurement;
};

/// Everything a result must say about where it comes from.
struct Header {
    std::string device = "none (floors only)";
    Rates rates;
    bool ratesMeasured = false;
    bool coldCache = true;
    int repeats = 0;
};

std::string tableOf(const Header& header, const std::vector<Row>& rows);
std::string csvOf(const Header& header, const std::vector<Row>& rows);
std::string jsonOf(const Header& header, const std::vector<Row>& rows);

}  // namespace effconv::bench

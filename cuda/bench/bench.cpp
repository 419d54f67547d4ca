// The kernel benchmark. Without a GPU: effconv_kernel_bench --floors.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <stdexcept>

#include "measure.h"
#include "report.h"

using namespace effconv;
using namespace effconv::bench;

namespace {

const char* const kUsage =
    "usage: effconv_kernel_bench [options]\n"
    "  --suite NAME        paper, cifar, stl, depthwise, synthesis or all (default paper); may be repeated\n"
    "  --floors            shapes, operations, bytes and floors alone; needs no GPU\n"
    "  --repeats N         timed launches per case (default 30)\n"
    "  --warm              leave the L2 cache as the launch before left it (default: flushed before each launch)\n"
    "  --csv FILE          write the rows as CSV\n"
    "  --json FILE         write the rows as JSON\n"
    "  --bf16-tflops X     assumed tensor rate for --floors (default 788, as others measured it on an H200)\n"
    "  --fp32-tflops X     assumed FFMA rate for --floors (default 60, 90 % of an H200's data sheet)\n"
    "  --memory-tbs X      assumed memory rate for --floors (default 4.3, as others measured it on an H200)\n"
    "exit status: 0, 1 when a case fails the error gate or the device fails, 2 for a wrong option\n";

struct UsageError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct Options {
    std::vector<std::string> suites;
    bool floors = false, warm = false;
    int repeats = 30;
    std::string csv, json;
    Rates rates;
};

double positiveNumber(const char* option, const std::string& value) {
    char* end = nullptr;
    const double number = std::strtod(value.c_str(), &end);
    if (end == value.c_str() || *end != '\0' || !(number > 0)) {
        throw UsageError(std::string(option) + ": \"" + value + "\" is not a positive number");
    }
    return number;
}

Options parse(int argc, char** argv) {
    Options options;
    for (int i = 1; i < argc; ++i) {
        const std::string option = argv[i];
        const auto value = [&]() -> std::string {
            if (i + 1 >= argc) throw UsageError(option + " needs a value");
            return argv[++i];
        };
        if (option == "--suite") {
            const std::string suite = value();
            if (suite == "all") {
                options.suites = suiteNames();
            } else if (casesOf(suite).empty()) {
                throw UsageError("--suite: there is no suite \"" + suite + "\"");
            } else {
                options.suites.push_back(suite);
            }
        } else if (option == "--floors") {
            options.floors = true;
        } else if (option == "--warm") {
            options.warm = true;
        } else if (option == "--repeats") {
            options.repeats = static_cast<int>(positiveNumber("--repeats", value()));
        } else if (option == "--csv") {
            options.csv = value();
        } else if (option == "--json") {
            options.json = value();
        } else if (option == "--bf16-tflops") {
            options.rates.tensorFlops = positiveNumber("--bf16-tflops", value()) * 1e12;
        } else if (option == "--fp32-tflops") {
            options.rates.fp32Flops = positiveNumber("--fp32-tflops", value()) * 1e12;
        } else if (option == "--memory-tbs") {
            options.rates.bytes = positiveNumber("--memory-tbs", value()) * 1e12;
        } else {
            throw UsageError("unknown option " + option);
        }
    }
    if (options.suites.empty()) options.suites = {"paper"};
    if (options.repeats < 1) throw UsageError("--repeats must be at least 1");
    return options;
}

void writeFile(const std::string& path, const std::string& text) {
    std::ofstream file(path, std::ios::binary);
    file << text;
    file.close();
    if (!file) throw std::runtime_error("cannot write " + path);
}

int run(const Options& options) {
    Header header;
    header.rates = options.rates;
    std::unique_ptr<Device> device;
    if (!options.floors) {
        device = openBenchDevice(!options.warm, options.repeats);
        header.device = device->description();
        header.rates = device->measuredRates();
        header.ratesMeasured = true;
        header.coldCache = !options.warm;
        header.repeats = options.repeats;
    }
    std::vector<Row> rows;
    bool passed = true;
    for (const std::string& suite : options.suites) {
        for (const Case& test : casesOf(suite)) {
            Row row{test, workOf(test), floorOf(test, header.rates), false, {}};
            if (device) {
                row.measurement = device->measure(test);
                row.measured = true;
                passed = passed && row.measurement.ok();
            }
            rows.push_back(row);
        }
    }
    std::fputs(tableOf(header, rows).c_str(), stdout);
    if (!options.csv.empty()) writeFile(options.csv, csvOf(header, rows));
    if (!options.json.empty()) writeFile(options.json, jsonOf(header, rows));
    return passed ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        if (argc == 2 && (std::strcmp(argv[1], "--help") == 0 || std::strcmp(argv[1], "-h") == 0)) {
            std::fputs(kUsage, stdout);
            return 0;
        }
        return run(parse(argc, argv));
    } catch (const UsageError& error) {
        std::fprintf(stderr, "%s\n", error.what());
        std::fputs(kUsage, stderr);
        return 2;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}

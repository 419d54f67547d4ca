#include "test.h"

#include <chrono>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <cstring>

#include "device.h"

namespace effconv::test {

namespace {

struct Test {
    const char* name;
    void (*body)();
};

std::vector<Test>& tests() {
    static std::vector<Test> all;
    return all;
}

}  // namespace

Registration::Registration(const char* name, void (*body)()) {
    tests().push_back({name, body});
}

std::string text(const char* format, ...) {
    char buffer[512];
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(buffer, sizeof buffer, format, arguments);
    va_end(arguments);
    return buffer;
}

void checkClose(const std::string& what, const std::vector<float>& got, const std::vector<double>& want,
                const std::vector<double>& magnitude, Tolerance tolerance) {
    if (got.size() != want.size() || want.size() != magnitude.size()) {
        throw Failure(text("%s: %zu values, expected %zu", what.c_str(), got.size(), want.size()));
    }
    for (std::size_t i = 0; i < got.size(); ++i) {
        const double allowed = tolerance.accumulated * magnitude[i] + tolerance.rounded * std::fabs(want[i]) + 1e-30;
        const double error = std::fabs(static_cast<double>(got[i]) - want[i]);
        if (!(error <= allowed)) {  // also true for NaN
            throw Failure(text("%s: element %zu is %.9g, expected %.9g (error %.3g, allowed %.3g)", what.c_str(), i,
                               got[i], want[i], error, allowed));
        }
    }
}

void checkSameBits(const std::string& what, const std::vector<float>& a, const std::vector<float>& b) {
    if (a.size() != b.size()) throw Failure(what + ": sizes differ");
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (std::memcmp(&a[i], &b[i], sizeof(float)) != 0) {
            throw Failure(text("%s: element %zu differs between runs: %.9g and %.9g", what.c_str(), i, a[i], b[i]));
        }
    }
}

int runAll(int argc, char** argv) {
    const char* filter = "";
    bool expectFailure = false;
    for (int i = 1; i < argc; ++i) {
        if (std::strcmp(argv[i], "--list") == 0) {
            for (const Test& test : tests()) std::printf("%s\n", test.name);
            return 0;
        }
        if (std::strcmp(argv[i], "--filter") == 0 && i + 1 < argc) {
            filter = argv[++i];
        } else if (std::strcmp(argv[i], "--expect-failure") == 0) {
            expectFailure = true;
        } else {
            std::fprintf(stderr, "usage: %s [--list] [--filter text] [--expect-failure]\n", argv[0]);
            return 2;
        }
    }
    std::string device;
    if (!openDevice(device)) {
        std::printf("SKIPPED: %s\n", device.c_str());
        return 77;
    }
    std::printf("device: %s\n", device.c_str());
    int run = 0, failed = 0;
    for (const Test& test : tests()) {
        if (std::strstr(test.name, filter) == nullptr) continue;
        ++run;
        const auto start = std::chrono::steady_clock::now();
        std::string reason;
        try {
            test.body();
        } catch (const std::exception& error) {
            reason = error.what();
        }
        const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        if (reason.empty()) {
            std::printf("ok      %-44s %6.2f s\n", test.name, seconds);
        } else {
            ++failed;
            std::printf("%s %-44s %6.2f s\n        %s\n", expectFailure ? "CAUGHT " : "FAILED ", test.name, seconds,
                        reason.c_str());
        }
        std::fflush(stdout);
        if (expectFailure && failed > 0) break;  // one test that notices is enough
    }
    std::printf("%d tests, %d failed\n", run, failed);
    if (run == 0) return 2;
    if (expectFailure) {
        if (failed == 0) std::printf("the planted fault was not caught\n");
        return failed > 0 ? 0 : 1;
    }
    return failed > 0 ? 1 : 0;
}

}  // namespace effconv::test

int main(int argc, char** argv) {
    return effconv::test::runAll(argc, argv);
}

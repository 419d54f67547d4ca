#include "report.h"

#include <cmath>
#include <cstdarg>
#include <cstdio>

namespace effconv::bench {

namespace {

#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
void append(std::string& text, const char* format, ...) {
    char buffer[512];
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(buffer, sizeof buffer, format, arguments);
    va_end(arguments);
    text += buffer;
}

/// One column of CSV and JSON: a name and a number.
struct Field {
    const char* name;
    double value;
};

std::vector<Field> fieldsOf(const Row& row) {
    std::vector<Field> fields = {{"gflop", row.work.flops * 1e-9},     {"gflop_valid_taps", row.work.validFlops * 1e-9},
                                 {"megabytes", row.work.bytes * 1e-6}, {"memory_us", row.floor.memory * 1e6},
                                 {"math_us", row.floor.math * 1e6},    {"ffma_us", row.floor.ffma * 1e6},
                                 {"floor_us", row.floor.seconds * 1e6}};
    if (!row.measured) return fields;
    const Measurement& m = row.measurement;
    const Field measured[] = {{"median_us", m.median * 1e6},
                              {"p10_us", m.p10 * 1e6},
                              {"p90_us", m.p90 * 1e6},
                              {"tflops", row.work.flops / m.median * 1e-12},
                              {"tflops_valid_taps", row.work.validFlops / m.median * 1e-12},
                              {"gb_per_s", row.work.bytes / m.median * 1e-9},
                              {"percent_of_roofline", 100 * row.floor.seconds / m.median},
                              {"error", m.error},
                              {"error_limit", m.errorLimit},
                              {"workspace_bytes", m.workspaceBytes},
                              {"plan_us", m.planSeconds * 1e6},
                              {"ok", m.ok() ? 1.0 : 0.0}};
    fields.insert(fields.end(), std::begin(measured), std::end(measured));
    return fields;
}

std::string quoted(const std::string& text) {
    std::string result = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') result += '\\';
        result += c;
    }
    return result + "\"";
}

std::string ratesText(const Header& header) {
    std::string text;
    append(text, "rates (%s): bf16 %.1f TFLOP/s, fp32 %.1f TFLOP/s, memory %.2f TB/s",
           header.ratesMeasured ? "measured" : "assumed", header.rates.tensorFlops * 1e-12,
           header.rates.fp32Flops * 1e-12, header.rates.bytes * 1e-12);
    return text;
}

}  // namespace

std::string tableOf(const Header& header, const std::vector<Row>& rows) {
    std::string text;
    append(text, "device: %s\n%s\n", header.device.c_str(), ratesText(header).c_str());
    if (header.repeats > 0) {
        append(text, "%d repeats, %s L2\n", header.repeats, header.coldCache ? "cold" : "warm");
    }
    append(text, "%-10s %-34s %-16s %-5s %10s %10s %9s %9s %9s %9s  %-8s", "suite", "case", "pass", "type", "GFLOP",
           "valid", "MB", "memory us", "math us", "floor us", "bound");
    const bool measured = !rows.empty() && rows[0].measured;
    if (measured) append(text, " %9s %9s %9s %8s %7s %9s", "median us", "p10", "p90", "TFLOP/s", "% roof", "error");
    text += '\n';
    for (const Row& row : rows) {
        append(text, "%-10s %-34s %-16s %-5s %10.3f %10.3f %9.2f %9.2f %9.2f %9.2f  %-8s", row.test.suite.c_str(),
               row.test.name.c_str(), passName(row.test), row.test.bf16 ? "bf16" : "fp32", row.work.flops * 1e-9,
               row.work.validFlops * 1e-9, row.work.bytes * 1e-6, row.floor.memory * 1e6, row.floor.math * 1e6,
               row.floor.seconds * 1e6, row.floor.bound);
        if (row.measured) {
            const Measurement& m = row.measurement;
            append(text, " %9.2f %9.2f %9.2f %8.2f %7.1f %9.2g%s", m.median * 1e6, m.p10 * 1e6, m.p90 * 1e6,
                   row.work.flops / m.median * 1e-12, 100 * row.floor.seconds / m.median, m.error,
                   m.ok() ? "" : "  ERROR GATE");
        }
        text += '\n';
    }
    return text;
}

std::string csvOf(const Header& header, const std::vector<Row>& rows) {
    std::string text;
    append(text, "# device: %s; %s; repeats %d; %s L2\n", header.device.c_str(), ratesText(header).c_str(),
           header.repeats, header.coldCache ? "cold" : "warm");
    text += "suite,case,pass,type,bound";
    if (!rows.empty()) {
        for (const Field& field : fieldsOf(rows[0])) append(text, ",%s", field.name);
    }
    text += '\n';
    for (const Row& row : rows) {
        append(text, "%s,%s,%s,%s,%s", row.test.suite.c_str(), row.test.name.c_str(), passName(row.test),
               row.test.bf16 ? "bf16" : "fp32", row.floor.bound);
        for (const Field& field : fieldsOf(row)) append(text, ",%.6g", field.value);
        text += '\n';
    }
    return text;
}

std::string jsonOf(const Header& header, const std::vector<Row>& rows) {
    std::string text = "{\n  \"device\": " + quoted(header.device) + ",\n";
    append(text,
           "  \"ratesMeasured\": %s,\n  \"bf16FlopsPerSecond\": %.6g,\n  \"fp32FlopsPerSecond\": %.6g,\n"
           "  \"bytesPerSecond\": %.6g,\n  \"repeats\": %d,\n  \"coldCache\": %s,\n  \"cases\": [",
           header.ratesMeasured ? "true" : "false", header.rates.tensorFlops, header.rates.fp32Flops,
           header.rates.bytes, header.repeats, header.coldCache ? "true" : "false");
    const char* separator = "\n";
    for (const Row& row : rows) {
        append(text, "%s    {\"suite\": %s, \"case\": %s, \"pass\": \"%s\", \"type\": \"%s\", \"bound\": \"%s\"",
               separator, quoted(row.test.suite).c_str(), quoted(row.test.name).c_str(), passName(row.test),
               row.test.bf16 ? "bf16" : "fp32", row.floor.bound);
        for (const Field& field : fieldsOf(row)) {
            if (std::isfinite(field.value)) {
                append(text, ", \"%s\": %.6g", field.name, field.value);
            } else {
                append(text, ", \"%s\": null", field.name);  // JSON knows no NaN
            }
        }
        text += "}";
        separator = ",\n";
    }
    return text + "\n  ]\n}\n";
}

}  // namespace effconv::bench

"""Times cuDNN, through PyTorch, on the convolutions of a benchmark result.

usage: time_cudnn.py bench.json out.csv

Same shapes and same method as the benchmark: channels_last, L2 flushed before each launch, events around it, median of 30
after 5 to warm up, cudnn.benchmark on. The forward pass in bf16 and in fp32 (TF32 off). The CSV has, per case, both
medians in microseconds and cuDNN's over ours in the case's own type.
"""

import csv
import json
import re
import statistics
import sys

import torch

FLUSH_BYTES = 256 << 20
WARM_UPS = 5
REPEATS = 30
SHAPE = re.compile(r"(dense|depthwise) C(\d+) (\d+)x(\d+) k(\d+) N(\d+)$")


def median_microseconds(launch, flush):
    start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    times = []
    for repeat in range(-WARM_UPS, REPEATS):
        flush.zero_()
        start.record()
        launch()
        stop.record()
        stop.synchronize()
        if repeat >= 0:
            times.append(1e3 * start.elapsed_time(stop))
    return statistics.median(times)


def time_forward(match, dtype, flush):
    kind, channels, height, width, kernel, batch = match.group(1), *map(int, match.groups()[1:])
    groups = channels if kind == "depthwise" else 1
    x = torch.randn(batch, channels, height, width, device="cuda", dtype=dtype)
    w = torch.randn(channels, channels // groups, kernel, kernel, device="cuda", dtype=dtype)
    x, w = (t.contiguous(memory_format=torch.channels_last) for t in (x, w))
    with torch.no_grad():
        return median_microseconds(
            lambda: torch.nn.functional.conv2d(x, w, padding=kernel // 2, groups=groups), flush)


def main(bench_file, out_file):
    if not torch.cuda.is_available():
        sys.exit("PyTorch sees no GPU")
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = False
    flush = torch.empty(FLUSH_BYTES, device="cuda", dtype=torch.uint8)
    with open(bench_file, encoding="utf-8") as file:
        cases = json.load(file)["cases"]
    print(f"torch {torch.__version__}, cuDNN {torch.backends.cudnn.version()}")
    with open(out_file, "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["case", "type", "ours_us", "cudnn_bf16_us", "cudnn_fp32_us", "cudnn_over_ours"])
        for case in cases:
            match = SHAPE.match(case["case"])
            if match is None or case["pass"] != "forward":
                continue
            times = {name: time_forward(match, dtype, flush)
                     for name, dtype in (("bf16", torch.bfloat16), ("fp32", torch.float32))}
            ratio = times[case["type"]] / case["median_us"]
            rows.writerow([case["case"], case["type"], f"{case['median_us']:.2f}", f"{times['bf16']:.2f}",
                           f"{times['fp32']:.2f}", f"{ratio:.3f}"])
            print(f"{case['case']:<34} {case['type']}  ours {case['median_us']:9.2f} us  cuDNN bf16 {times['bf16']:9.2f}"
                  f"  fp32 {times['fp32']:9.2f}  {ratio:.2f}x")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])

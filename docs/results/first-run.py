"""Draws first-run.svg, the README's picture, out of the table "The first run" of equal-work.md.

    python3 docs/results/first-run.py
"""

import math
import pathlib
import re

HERE = pathlib.Path(__file__).parent
TEST_IMAGES = 2000
BLUE, GREY, INK = "#1f6fb2", "#8a8f98", "#24292f"


def rows():
    """The table's rows: seed, sizes, accuracies in percent and multiply-adds in percent of uniform 5."""
    section = (HERE / "equal-work.md").read_text().split("## The first run")[1].split("\n## ")[0]
    lines = [line.strip().strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    names = [name.strip() for name in lines[0]]
    for cells in lines[2:]:
        row = dict(zip(names, (cell.strip() for cell in cells)))
        fewer = int(re.match(r"\d+", row["fewer multiply-adds"])[0])
        yield (int(row["seed"]), [int(k) for k in re.findall(r"\d+", row["sizes"])],
               float(row["learned, %"]), float(row["uniform 5, %"]), 100 - fewer)


class Svg:
    def __init__(self, width, height):
        self.parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
                      f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12" fill="{INK}">',
                      f'<rect width="{width}" height="{height}" fill="#ffffff"/>']

    def text(self, x, y, text, anchor="middle", **more):
        style = "".join(f' {k.replace("_", "-")}="{v}"' for k, v in more.items())
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{style}>{text}</text>')

    def line(self, x1, y1, x2, y2, colour, width=1.0):
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
                          f'stroke-width="{width}"/>')

    def kernel(self, x, y, k, colour):
        """A kernel of k x k taps, centred."""
        tap = 6
        for i in range(k):
            for j in range(k):
                self.parts.append(f'<rect x="{x + (i - k / 2) * tap:.1f}" y="{y + (j - k / 2) * tap:.1f}" '
                                  f'width="{tap - 1}" height="{tap - 1}" fill="{colour}"/>')

    def circle(self, x, y, colour):
        self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>')

    def write(self, file):
        file.write_text("\n".join(self.parts + ["</svg>"]) + "\n")


def kernels(svg, table):
    """Left: the kernel of each layer, one line for each different answer."""
    answers = {}
    for seed, sizes, *_ in table:
        answers.setdefault(tuple(sizes), []).append(seed)
    lines = [((5,) * len(table[0][1]), "5x5 everywhere", GREY)]
    for sizes, seeds in answers.items():
        lines.append((sizes, "learned, seed" + ("s " if len(seeds) > 1 else " ") + ", ".join(map(str, seeds)), BLUE))
    svg.text(225, 22, "Kernel size per layer", font_size=14, font_weight="bold")
    for n, (sizes, label, colour) in enumerate(lines):
        y = 78 + 74 * n
        svg.text(16, y - 26, label, "start", fill=colour)
        for layer, k in enumerate(sizes):
            svg.kernel(90 + 58 * layer, y, k, colour)
    for layer in range(len(lines[0][0])):
        svg.text(90 + 58 * layer, 78 + 74 * len(lines) - 26, f"conv{layer + 1}", font_size=11)


def accuracies(svg, table):
    """Right: accuracy against multiply-adds; bars are one standard error by the number of test images."""
    left, right, top, bottom = 530, 800, 44, 250

    def x(percent):
        return left + (percent - 50) / 60 * (right - left)

    def y(accuracy):
        return bottom - (accuracy - 89) / 3.2 * (bottom - top)

    svg.text((left + right) / 2, 22, "Test accuracy, five seeds", font_size=14, font_weight="bold")
    for accuracy in (89, 90, 91, 92):
        svg.line(left, y(accuracy), right, y(accuracy), "#e3e6ea")
        svg.text(left - 8, y(accuracy) + 4, f"{accuracy} %", "end", font_size=11)
    for percent in (60, 80, 100):
        svg.text(x(percent), bottom + 18, f"{percent} %", font_size=11)
    svg.text((left + right) / 2, bottom + 38, "multiply-adds of 5x5 everywhere", font_size=11)
    for seed, _, learned, uniform, cost in table:
        shift = 4 * (seed - 3)  # seeds of one cost stand side by side
        for accuracy, at, colour in ((learned, cost, BLUE), (uniform, 100, GREY)):
            error = 100 * math.sqrt(accuracy / 100 * (1 - accuracy / 100) / TEST_IMAGES)
            svg.line(x(at) + shift, y(accuracy - error), x(at) + shift, y(accuracy + error), colour, 1.5)
            svg.circle(x(at) + shift, y(accuracy), colour)


def main():
    table = list(rows())
    svg = Svg(830, 300)
    kernels(svg, table)
    accuracies(svg, table)
    svg.write(HERE / "first-run.svg")


main()

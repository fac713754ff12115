# SPDX-License-Identifier: MIT
"""The chart: for each operation a bar for each system, logarithmic; times to the left, what exits would cost to the right."""
import math

from results import label

COLOURS = {"host": "#9a9a9a", "farcall": "#1f6fb4", "farcall-exits": "#8fbbe0", "virtiofs-none": "#c8501e", "9p-none": "#5a9a3c",
           "virtiofs-auto": "#f0b090", "9p-loose": "#b5d6a3"}
BAR, GAP, PLOT, SPACE, LETTER = 7, 12, 430, 40, 6
DECADES = 7  # shown at most


class Picture:
    def __init__(self):
        self.parts = []

    def text(self, x, y, text, anchor="start", size=11):
        self.parts.append(f'<text x="{x:.0f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}">{text}</text>')

    def bar(self, x, y, width, height, colour):
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"/>')

    def line(self, x, top, bottom):
        self.parts.append(f'<line x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{bottom}" stroke="#d8d8d8"/>')

    def save(self, path, width, height):
        with open(path, "w", encoding="utf-8") as file:
            file.write(f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif">'
                       f'<rect width="100%" height="100%" fill="white"/>{"".join(self.parts)}</svg>\n')


def short(decade):
    letter = max(0, decade) // 3
    return f"{10 ** (decade - 3 * letter):g}" + ("", "k", "M", "G")[letter]


class Axis:
    """Logarithmic, over whole decades; below its first everything is drawn as a sliver."""

    def __init__(self, left, values):
        positive = [value for value in values if value > 0] or [1]
        self.left = left
        self.low = max(math.floor(math.log10(min(positive))), math.ceil(math.log10(max(positive))) - DECADES)
        self.high = max(self.low + 1, math.ceil(math.log10(max(positive))))

    def length(self, value):
        if value <= 0:
            return 1
        return max(1, PLOT * (math.log10(value) - self.low) / (self.high - self.low))

    def draw(self, picture, top, bottom):
        for decade in range(self.low, self.high + 1):
            x = self.left + PLOT * (decade - self.low) / (self.high - self.low)
            picture.line(x, top, bottom)
            picture.text(x, top - 4, short(decade), "middle", 9)


def panel(picture, axis, title, value_of, results, top, bottom):
    picture.text(axis.left, top - 20, title, size=12)
    axis.draw(picture, top, bottom)
    y = top + GAP / 2
    for op, size in results.operations:
        for system in results.systems:
            value = value_of(system, op, size)
            if value is not None:
                picture.bar(axis.left, y, axis.length(value), BAR - 1, COLOURS[system])
            y += BAR
        y += GAP


def legend(picture, systems, left):
    x = left
    for system in systems:
        picture.bar(x, 12, 10, 10, COLOURS[system])
        picture.text(x + 14, 21, system)
        x += 30 + 7 * len(system)


def draw(results, price_us, rig, path):
    def micros(system, op, size):
        value = results.ns(system, op, size)
        return None if value is None else value / 1000

    def bill(system, op, size):
        exits = None if system == "host" else results.per_operation(system, "exits", op, size)
        return None if exits is None else exits * price_us

    group = BAR * len(results.systems) + GAP
    top, bottom = 70, 70 + group * len(results.operations)
    picture = Picture()
    name_width = 12 + LETTER * max(len(label(*operation)) for operation in results.operations)
    legend(picture, results.systems, name_width)
    for at, (op, size) in enumerate(results.operations):
        picture.text(name_width - 6, top + at * group + group / 2 + 4, label(op, size), "end", 10)
    everything = [(system, *operation) for system in results.systems for operation in results.operations]
    panels = (("µs per operation" + (", in the rig (its exits cost some fifty times too much)" if rig else ""), micros),
              (f"µs per operation that exits cost at {price_us:g} µs each", bill))
    for at, (title, value_of) in enumerate(panels):
        values = [value for value in (value_of(*one) for one in everything) if value is not None]
        panel(picture, Axis(name_width + at * (PLOT + SPACE), values), title, value_of, results, top, bottom)
    picture.save(path, name_width + 2 * (PLOT + SPACE), bottom + 12)

# SPDX-License-Identifier: MIT
"""What the lines of measure.py say: lower quartiles of interleaved rounds, and exits per operation."""
import json
import statistics

UNITS = {512: "512 B", 4096: "4 KiB", 65536: "64 KiB", 1 << 20: "1 MiB"}
PRICES = ("spin", "exit")


def load(path):
    """The machine, the rows, and what is known of the end: each round is written by a process of its own."""
    with open(path, encoding="utf-8") as file:
        lines = [json.loads(line) for line in file]
    machines = [line["machine"] for line in lines if "machine" in line]
    ends = [line for line in lines if "end" in line]
    end = {"retries": sum(line["retries"] for line in ends)} if len(ends) == len(machines) else None
    return machines[0], [line for line in lines if "op" in line], end


def label(op, size):
    return f"{op}, {UNITS[size]}" if size in UNITS else op


def low(values):
    """The lower quartile: the machine is never ours alone, and two parties that poll for each other stand still when one of
    them has lost its core. What disturbs only ever adds, to times and to counts, and to those of all systems."""
    values = sorted(values)
    return values[len(values) // 4] if values else None


class Background:
    """What a VM exits for without any operation. `fixed`: for the messages that begin and end a measurement, which are not the
    operation's and are taken off. `rate`: with time, for ticks. That is not taken off, since a guest that waits has none."""

    def __init__(self, rows, system):
        mine = [row for row in rows if row["system"] == system and row["op"] == "spin"]
        lengths = sorted({row["bytes"] for row in mine})
        self.fixed, self.rate = {}, {}
        for name in (mine[0]["counts"] if mine else ()):
            def median(value, length):
                return statistics.median(value(row) for row in mine if row["bytes"] == length)
            counts = [median(lambda row: row["counts"][name], length) for length in (lengths[0], lengths[-1])]
            times = [median(lambda row: row["wall_ns"], length) for length in (lengths[0], lengths[-1])]
            self.fixed[name] = counts[0]
            self.rate[name] = (counts[1] - counts[0]) / (times[1] - times[0]) if times[1] > times[0] else 0

    def without(self, row, name):
        fixed = 0 if row.get("difference") else self.fixed.get(name, 0)
        return max(0.0, row["counts"][name] - fixed) / row["count"]


class Results:
    def __init__(self, rows):
        self.rows = rows
        self.systems = list(dict.fromkeys(row["system"] for row in sorted(rows, key=lambda row: row["round"])))
        order = ["host", "farcall", "farcall-exits", "virtiofs-none", "9p-none", "virtiofs-auto", "9p-loose"]
        self.systems.sort(key=order.index)
        self.operations = list(dict.fromkeys((row["op"], row["bytes"]) for row in rows if row["op"] not in PRICES))
        self.background = {system: Background(rows, system) for system in self.systems}

    def of(self, system, op, size):
        return [row for row in self.rows if (row["system"], row["op"], row["bytes"]) == (system, op, size)]

    def ns(self, system, op, size):
        """Of an operation, over the chunks of all rounds."""
        return low([value for row in self.of(system, op, size) for value in row["ns"]])

    def ratio(self, system, base, op, size):
        mine, other = self.ns(system, op, size), self.ns(base, op, size)
        return mine / other if mine and other else None

    def per_operation(self, system, name, op, size):
        rows = [row for row in self.of(system, op, size) if name in row["counts"]]
        return low([self.background[system].without(row, name) for row in rows])

    def raw_per_operation(self, system, name, op, size):
        return low([row["counts"][name] / row["count"] for row in self.of(system, op, size) if name in row["counts"]])

    def exit_price_ns(self):
        """Of QEMU's guests, from a load of a device's register to its answer."""
        return low([value for row in self.rows if row["op"] == "exit" for value in row["ns"]])

    def record(self, price_us):
        names = sorted({name for row in self.rows for name in row["counts"]})
        for system in self.systems:
            for op, size in self.operations:
                if self.ns(system, op, size) is None:
                    continue
                counts = {name: {"measured": self.raw_per_operation(system, name, op, size),
                                 "without_messages": self.per_operation(system, name, op, size)}
                          for name in names if self.per_operation(system, name, op, size) is not None}
                exits = self.per_operation(system, "exits", op, size)
                yield {"system": system, "op": op, "bytes": size, "ns": self.ns(system, op, size),
                       "rounds_ns": [statistics.median(row["ns"]) for row in self.of(system, op, size)],
                       "times_host": self.ratio(system, "host", op, size), "times_farcall": self.ratio(system, "farcall", op, size),
                       "per_operation": counts, "exits_cost_us": None if exits is None else exits * price_us}

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What bench/weight/run.sh measured: tables as text, a picture, and figures for the harness (bench/README.md).

report.py RESULTS.jsonl OUT.svg OUT-SAMPLES.jsonl [rig]
rig: that is where it was measured
"""
import json
import math
import statistics
import sys

POLICIES = ("none", "weighted")
LATENCY_POLICIES = (*POLICIES, "urgent")  # shares and cost are those of "weighted": nobody there sleeps for long
COLOURS = {"none": "#b0b0b0", "weighted": "#2070b0", "urgent": "#d08030"}
QUANTILES = ("p50_us", "p90_us", "p99_us", "p999_us")
C, UNIT = 1024, 32  # guest-kmod/weight_math.h


def load(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.startswith("{")]


def median(rows, field, **where):
    values = [row[field] for row in rows if all(row.get(key) == value for key, value in where.items())]
    return statistics.median(values) if values else math.nan


def scenarios(rows):
    seen = {(row["hogs"], row["rivals"]): None for row in rows if row["test"] == "wakeup"}
    return [(hogs, rivals, f"{rivals} rivals" if rivals else f"{hogs} hog{'s' * (hogs > 1)}") for hogs, rivals in seen]


def latency_table(rows, release, what, prefix):
    print(f"\n{what}, us, kernel {release} (median of the rounds; ratios none : policy)")
    print(f"{'':12}{'':10}" + "".join(f"{name[:-3]:>10}" for name in QUANTILES))
    for hogs, rivals, name in scenarios(rows):
        values = {policy: [median(rows, prefix + q, test="wakeup", release=release, policy=policy, hogs=hogs, rivals=rivals)
                           for q in QUANTILES] for policy in LATENCY_POLICIES}
        for policy in LATENCY_POLICIES:
            print(f"{name:12}{policy:10}" + "".join(f"{value:10.0f}" for value in values[policy]))
        for policy in LATENCY_POLICIES[1:]:
            ratios = [n / w if w else math.nan for n, w in zip(values["none"], values[policy])]
            print(f"{'':12}{': ' + policy:10}" + "".join(f"{value:10.1f}" for value in ratios))


def share_table(rows, release):
    mine = [row for row in rows if row["test"] == "shares" and row["release"] == release]
    members = list({row["process"]: row["priority"] for row in mine}.items())
    phases = list(dict.fromkeys(row["phase"] for row in mine))
    print(f"\nCPU shares, kernel {release} (median of the rounds; three processes alone, then with a storm and a plain hog)")
    for kind, wanted in (("alone", False), ("storm", True)):
        for policy in POLICIES:
            for phase in phases:
                names = [n for n, _ in members if wanted or n.startswith("priority")]
                values = [median(mine, "share", policy=policy, phase=phase, process=n, kind=kind) for n in names]
                if all(math.isnan(value) for value in values):
                    continue
                print(f"{kind:7}{policy:10}{phase:13}" + "".join(f"{n}: {v:.3f}   " for n, v in zip(names, values)))
    weights = [C + UNIT * priority for _, priority in members if priority >= 0]
    print("by the formula, alone: " + " ".join(f"{weight / sum(weights):.3f}" for weight in weights))


def cost_table(rows, release):
    print(f"\nCost of an event, ns, kernel {release} (median of the rounds)")
    for field in ("polled_wall_ns", "polled_cpu_ns", "slept_wall_ns", "slept_cpu_ns"):
        none, weighted = (median(rows, field, test="cost", release=release, policy=policy) for policy in POLICIES)
        print(f"{field:16} none {none:10.0f}   weighted {weighted:10.0f}   ratio weighted : none {weighted / none:.3f}")


def mark_kinds(rows):
    """A run of `shares` is over when its phases start again; those with a storm process are of the other kind."""
    run = []
    for row in [row for row in rows if row["test"] == "shares"] + [None]:
        if row is None or (run and row["phase"] == "pending" and run[-1]["phase"] != "pending"):
            kind = "storm" if any(r["process"] == "storm" for r in run) else "alone"
            for member in run:
                member["kind"] = kind
            run = []
        if row is not None:
            run.append(row)


class Picture:
    def __init__(self):
        self.parts = []
        self.y = 0

    def text(self, x, y, text, anchor="start", size=11):
        self.parts.append(f'<text x="{x:.0f}" y="{y:.0f}" font-size="{size}" text-anchor="{anchor}">{text}</text>')

    def bar(self, x, y, width, height, colour):
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"/>')

    def panel(self, title, groups, fraction, label):
        """groups: [(name, [(policy, value)])]; fraction of the height that a value has; label of a value."""
        height, width = 150, min(58, 1000 // len(groups))
        self.text(10, self.y + 18, title, size=13)
        base = self.y + 40 + height
        for i, (name, bars) in enumerate(groups):
            last = math.inf
            left = 20 + i * width
            for j, (policy, value) in enumerate(bars):
                tall = 0 if math.isnan(value) else height * fraction(value)
                bar = (width - 8) / len(bars)
                self.bar(left + j * bar, base - tall, bar - 1, tall, COLOURS[policy])
                top = base - tall - 3
                if abs(top - last) < 9:  # the labels of equal bars are wider than the bars
                    top = last - 9
                last = top
                self.text(left + (j + 0.5) * bar, top, label(value), "middle", 8)
            self.text(left + (width - 8) / 2, base + 13, name, "middle", 8)
        self.y = base + 24

    def save(self, path):
        legend = 620
        for policy in LATENCY_POLICIES:
            self.bar(legend, 8, 10, 10, COLOURS[policy])
            self.text(legend + 14, 17, policy)
            legend += 70
        with open(path, "w", encoding="utf-8") as file:
            file.write(f'<svg xmlns="http://www.w3.org/2000/svg" width="1020" height="{self.y + 10}" font-family="sans-serif">'
                       f'<rect width="100%" height="100%" fill="white"/>{"".join(self.parts)}</svg>\n')


def draw(rows, releases, path):
    picture = Picture()
    for release in releases:
        groups = [(f"{name} {q[:-3]}", [(p, median(rows, q, test="wakeup", release=release, policy=p, hogs=h, rivals=r))
                                        for p in LATENCY_POLICIES]) for h, r, name in scenarios(rows) for q in QUANTILES]
        picture.panel(f"Kernel {release}: handler late by, us (logarithmic)", groups,
                      lambda value: min(max(math.log10(max(value, 10)) - 1, 0.02) / 4.5, 1), lambda value: f"{value:.0f}")
        groups = []
        for kind, phase in (("alone", "pending"), ("alone", "consumed"), ("storm", "pending"), ("storm", "storm"),
                            ("storm", "after storm")):
            names = dict.fromkeys(row["process"] for row in rows if row.get("kind") == kind)
            groups += [(f"{name.replace('priority', 'prio')}", [(p, median(rows, "share", release=release, policy=p, phase=phase,
                                                                          process=name, kind=kind)) for p in POLICIES])
                       for name in names]
        picture.panel(f"Kernel {release}: CPU shares: alone with events pending, consumed; with a storm and a plain hog: "
                      "before, during, after", groups, lambda value: value * 1.6, lambda value: f"{value:.2f}")
    picture.save(path)


def wakeup_samples(rows, release):
    for hogs, rivals, _ in scenarios(rows):
        others = f"rivals_{rivals}" if rivals else f"hogs_{hogs}"
        mine = [row for row in rows if row["test"] == "wakeup" and row["release"] == release
                and (row["hogs"], row["rivals"]) == (hogs, rivals)]
        for what, field in (("wakeup", "late_us"), ("waited", "waited_us")):
            names = {policy: f"{what}_{release}_{policy}_{others}" for policy in LATENCY_POLICIES}
            for row in mine:
                yield {"series": names[row["policy"]], "ns": [us * 1000 for us in row[field]]}
            for policy in LATENCY_POLICIES[1:]:
                yield {"ratio": [names["none"], names[policy]], "expected": "10, unless the scheduler is at its floor"}


def share_samples(rows, release):
    mine = [row for row in rows if row["test"] == "shares" and row["release"] == release]
    shares = {}
    for row in mine:
        key = (row["kind"], row["policy"], row["phase"], row["process"], row["priority"])
        shares.setdefault(key, []).append(row["share"])
    priorities = {key[3]: key[4] for key in shares if key[0] == "alone"}
    total = sum(C + UNIT * priority for priority in priorities.values())
    for (kind, policy, phase, process, priority), rounds in shares.items():
        if min(rounds) <= 0:
            yield {"skipped": f"share {release} {kind}, {policy}, {phase}: {process}", "reason": "a round without any CPU time"}
            continue
        expected = ""
        if kind == "alone":
            even = policy == "none" or phase != "pending"
            expected = f"{1 / len(priorities) if even else (C + UNIT * priority) / total:.3f}"
        yield {"value": f"share {release} {kind}, {policy}, {phase}: {process}", "rounds": rounds, "expected": expected}


def cost_samples(rows, release):
    for field in ("polled_wall_ns", "polled_cpu_ns", "slept_wall_ns", "slept_cpu_ns"):
        names = {policy: f"event_{field[:-3]}_{release}_{policy}" for policy in POLICIES}
        for row in rows:
            if row["test"] == "cost" and row["release"] == release:
                yield {"series": names[row["policy"]], "ns": [row[field]]}
        yield {"ratio": [names["weighted"], names["none"]], "expected": "1.00" if field[0] == "p" else "at most 1.1"}


def write_samples(rows, releases, path, in_rig):
    with open(path, "w", encoding="utf-8") as file:
        for release in releases:
            for samples in (wakeup_samples, share_samples, cost_samples):
                for line in samples(rows, release):
                    print(json.dumps(line), file=file)
        print(json.dumps({"fact": "nested rig", "is": "yes" if in_rig else "no"}), file=file)
        if in_rig:
            print(json.dumps({"warning": "Measured in the nested rig: the ratios between the policies count, times do not."}), file=file)
        print(json.dumps({"end": True}), file=file)


def main():
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    rows = load(sys.argv[1])
    mark_kinds(rows)
    releases = list(dict.fromkeys(row["release"] for row in rows))
    for release in releases:
        latency_table(rows, release, "Handler late by", "")
        latency_table(rows, release, "Of that, waiting for the processor", "waited_")
        share_table(rows, release)
        cost_table(rows, release)
    draw(rows, releases, sys.argv[2])
    write_samples(rows, releases, sys.argv[3], sys.argv[4:] == ["rig"])


if __name__ == "__main__":
    main()

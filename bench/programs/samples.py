#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Figures for the harness (bench/README.md, "Figures of scripts") of what measure.py measured, to standard output.

samples.py [--price US] PLAN…     reads PLAN.jsonl of each
US: what a VM exit costs on hardware
"""
import argparse
import json
import pathlib

from results import Results, load

# What a name of a series has to say; the peers that farcall is compared with.
BASES = ("host", "virtiofs-none", "virtiofs-auto", "9p-none", "9p-loose", "farcall-exits")
COUNTS = {"exits": "VM exits", "irq_injections": "interrupts", "farcall_doorbells": "doorbells", "instructions": "instructions"}


def name_of(system, op, size):
    return f"{op}_{system}_{size}" if size else f"{op}_{system}"


def lines(results, price_us):
    known = set()
    counted = {}  # by what they count: what has the same columns stands in the same table
    for op, size in results.operations:
        for system in results.systems:
            rows = sorted(results.of(system, op, size), key=lambda row: row["round"])
            name = name_of(system, op, size)
            for row in rows:
                yield {"series": name, "ns": row["ns"]}
            if not rows:
                continue
            known.add(name)
            counts = {text: results.per_operation(system, key, op, size) for key, text in COUNTS.items()}
            counts = {text: count for text, count in counts.items() if count is not None}
            if "VM exits" in counts:
                counts[f"µs that these cost at {price_us:g} µs each"] = counts["VM exits"] * price_us
                counted.setdefault(tuple(counts), []).append({"counts": name, "per_operation": counts})
        ours = name_of("farcall", op, size)
        for base in BASES:
            other = name_of(base, op, size)
            if ours in known and other in known:
                yield {"ratio": [ours, other]}
    for alike in counted.values():
        yield from alike


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("plans", nargs="+", metavar="PLAN")
    parser.add_argument("--price", type=float, default=1.5)
    options = parser.parse_args()
    facts = {}
    for plan in options.plans:
        machine, rows, end = load(f"{plan}.jsonl")
        facts.update({"guest kernel": machine["guest"], "QEMU": machine["qemu"], "nested rig": "yes" if machine["rig"] else "no"})
        for line in lines(Results(rows), options.price):
            print(json.dumps(line))
        if not end:
            print(json.dumps({"warning": f"The rounds of {pathlib.Path(plan).name} were broken off."}))
        elif end["retries"]:
            print(json.dumps({"warning": f"{end['retries']} guests were lost and started again in the rounds of {pathlib.Path(plan).name}."}))
        if machine.get("no_instructions"):
            print(json.dumps({"skipped": "instructions per operation", "reason": machine["no_instructions"]}))
    for fact, text in facts.items():
        print(json.dumps({"fact": fact, "is": text}))
    if facts.get("nested rig") == "yes":
        print(json.dumps({"warning": "Measured in the nested rig, where an exit costs about fifty times as much as on hardware: "
                                     "times and their ratios are no claim, exits and interrupts are."}))
    print(json.dumps({"end": True}))


if __name__ == "__main__":
    main()

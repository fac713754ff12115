#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tables (Markdown), a record (JSON) and a picture (SVG) of what measure.py measured.

report.py RAW.jsonl [--price US]     makes RAW.md, RAW.json and RAW.svg beside it
US: what a VM exit costs on hardware, for the columns that say so
"""
import argparse
import json
import pathlib

from picture import draw
from results import Results, label, load


# One call to the host each, or two; a program's request is many.
SINGLE = ("seqread", "randread", "seqwrite", "randwrite", "create", "stat", "unlink")


def number(value):
    """Three digits are more than what is sure."""
    if value is None:
        return "–"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def time_table(results):
    def cell(system, op, size):
        value = results.ns(system, op, size)
        if value is None:
            return "–"
        ratio = results.ratio(system, "farcall", op, size)
        return number(value / 1000) + (f" ({number(ratio)})" if ratio and system != "farcall" else "")
    return table(["µs per operation (times farcall's)", *results.systems],
                 [[label(op, size), *(cell(system, op, size) for system in results.systems)] for op, size in results.operations])


def count_table(results, price_us):
    """Only of guests: the host has no exits."""
    guests = [system for system in results.systems if system != "host"]

    def cell(system, op, size):
        exits = results.per_operation(system, "exits", op, size)
        if exits is None:
            return "–"
        interrupts = results.per_operation(system, "irq_injections", op, size)
        text = f"{number(exits)} / {number(interrupts)}"
        bells = results.per_operation(system, "farcall_doorbells", op, size)
        return text + ("" if bells is None else f" / {number(bells)}") + f" → {number(exits * price_us)}"
    head = f"exits / interrupts (/ doorbells) per operation → µs at {price_us:g} µs an exit"
    return table([head, *guests],
                 [[label(op, size), *(cell(system, op, size) for system in guests)] for op, size in results.operations])


def exit_table(results):
    """One exit that carries the whole operation, as a hypercall would: the host's own time and one exit of this machine."""
    single = [(op, size) for op, size in results.operations if op in SINGLE]
    price = results.exit_price_ns()
    if price is None or "host" not in results.systems:
        return "No price of an exit was measured.\n"
    rows = []
    for op, size in single:
        host, ours = results.ns("host", op, size), results.ns("farcall", op, size)
        if host is not None and ours is not None:
            rows.append([label(op, size), number(host / 1000), number((host + price) / 1000), number(ours / 1000),
                         number((host + price) / ours)])
    return (f"An exit to QEMU and back (a load from a register): {number(price / 1000)} µs.\n\n" +
            (table(["µs per operation", "host", "host and one exit (computed)", "farcall", "ratio"], rows) if rows else ""))


def background_table(results):
    rows = [[system, number(background.rate["exits"] * 1e9), number(background.rate["irq_injections"] * 1e9),
             number(background.fixed["exits"])]
            for system, background in results.background.items() if background.rate]
    return table(["of a guest that only computes", "exits per second", "interrupts per second",
                  "exits for the two messages of a measurement (taken off)"], rows)


def report(machine, results, end, price_us):
    place = ("in the nested rig: an emulated machine, all systems in it; an exit costs about fifty times as much there as on "
             "hardware, so **the ratios of times are the rig's and no claim**; others used the machine as well" if machine["rig"] else "on hardware KVM")
    rounds = max(row["round"] for row in results.rows) + 1
    if not end:
        yield "**Not complete: the run was broken off.** What was measured until then:\n"
    yield (f"Measured {place}. {machine['cpu']}, host kernel {machine['host_kernel']}, guest kernel {machine['guest']}, "
           f"{machine['qemu']}; lower quartiles over {rounds} interleaved rounds; guests lost and started again: {end['retries'] if end else 'not known'}.\n")
    yield "## Times\n"
    yield time_table(results)
    yield "## Exits and interrupts\n"
    yield count_table(results, price_us)
    yield "In these is what time alone brings (ticks), at most this much. It weighs in the rig, where operations take longer:\n"
    yield background_table(results)
    if any(op in SINGLE for op, _ in results.operations):
        yield "## An exit in place of the rings\n"
        yield exit_table(results)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("raw", type=pathlib.Path)
    parser.add_argument("--price", type=float, default=1.5)
    options = parser.parse_args()
    machine, rows, end = load(options.raw)
    results = Results(rows)
    text = "\n".join(report(machine, results, end, options.price))
    options.raw.with_suffix(".md").write_text(text)
    record = {"schema": 1, "machine": machine, "price_us": options.price, "complete": bool(end), "retries": end["retries"] if end else None,
              "exit_ns": results.exit_price_ns(), "results": list(results.record(options.price))}
    options.raw.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")
    draw(results, options.price, machine["rig"], options.raw.with_suffix(".svg"))
    print(text)


if __name__ == "__main__":
    main()

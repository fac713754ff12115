#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# `farcall bench run` with the benches of latency and load, and what must hold of their records on any machine.
#   bench_run.sh FARCALL DIRECTORY
set -euo pipefail
# shellcheck source=tests/bench_ratios.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/bench_ratios.sh"
farcall=$1
directory=$2
need_two_cores
rm -rf "$directory"
"$farcall" bench list
if "$farcall" bench run latency nonsense 2>"$directory.said"; then
  echo "an unknown bench was run"
  exit 1
fi
grep "no bench 'nonsense'" "$directory.said"
"$farcall" bench run --quick latency load --output "$directory" | tee "$directory.said"
python3 - "$directory/load.json" <<'PYTHON'
import json, sys
record = json.load(open(sys.argv[1]))
assert record["bench"] == "load" and record["schema"] == 3, record["schema"]
rates = [s for s in record["results"] if s["name"].startswith("nop_open_loop_")]
assert len(rates) == 4, "four rates"
for series in rates:
    assert series["quantiles_ns"] == sorted(series["quantiles_ns"]), series["name"]
PYTHON
if grep -q '^SKIPPED latency: ' "$directory.said"; then
  echo "SKIPPED IN PART: no bare guest here, so nothing to split"
  exit 0
fi
python3 - "$directory/latency.json" <<'PYTHON'
import json, sys
record = json.load(open(sys.argv[1]))
p50 = {s["name"]: s["p50_ns"] for s in record["results"]}
splits = {s["name"]: s for s in record["splits"]}
assert set(splits) == {name for name in p50 if name.startswith("timed_")}, splits.keys()
for name, split in splits.items():
    parts = {part["name"]: part["p50_ns"] for part in split["parts"]}
    # Medians of parts need not add up to the median of the whole, but nearly do where the parts are steady.
    whole, total = p50[name], sum(parts.values())
    print(f"{name}: parts {total:.0f} of {whole:.0f} ns")
    if name in ("timed_nop", "timed_nop_host_client"):
        assert 0.6 * whole < total < 1.6 * whole, (name, parts, whole)
    assert all(value >= 0 for value in parts.values()), parts
asleep = splits["timed_nop_sleeping"]
assert asleep["per_operation"]["doorbells"] > 0.9, asleep
assert asleep["parts"][0]["p50_ns"] > asleep["parts"][3]["p50_ns"], "waking up costs more than the way back"
assert splits["timed_nop"]["per_operation"]["doorbells"] < 0.1
assert splits["timed_fsync"]["per_operation"]["pool or io_uring jobs"] > 0.9
PYTHON

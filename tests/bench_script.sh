#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Benches that are scripts: what `farcall bench` makes of a script's figures, and of a script that fails. The script here is a
# stand-in beside a copy of farcall: the real ones take minutes in VMs.
#   bench_script.sh FARCALL DIRECTORY
set -euo pipefail
# shellcheck source=tests/bench_ratios.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/bench_ratios.sh"
farcall=$1
directory=$2
need_two_cores
rm -rf "$directory"
mkdir -p "$directory/build" "$directory/bench/weight"
cp "$farcall" "$directory/build/farcall"
script=$directory/bench/weight/run.sh
cat >"$script" <<'SCRIPT'
#!/bin/sh
[ "$1" = "$(dirname "$(dirname "$(dirname "$0")")")/build" ] || exit 3
mkdir -p "$2" && echo picture >"$2/weight.svg" && echo "table of the script, $3"
cat >"$2/samples.jsonl" <<'LINES'
{"series": "wakeup_none_hogs_1", "ns": [4000, 5000, 6000]}
{"series": "wakeup_weighted_hogs_1", "ns": [400, 500, 600]}
{"ratio": ["wakeup_none_hogs_1", "wakeup_weighted_hogs_1"], "expected": "10"}
{"end": true}
LINES
SCRIPT
chmod +x "$script"
ours=$directory/build/farcall

"$ours" bench run weight --quick --output "$directory/out" | tee "$directory/said"
grep -qx "table of the script, --quick" "$directory/said"
[[ $(cat "$directory/out/weight/weight.svg") == picture ]]
grep -q wakeup_weighted_hogs_1 "$directory/out/report.csv"
python3 - "$directory/out/weight.json" <<'PYTHON'
import json, sys
record = json.load(open(sys.argv[1]))
assert record["bench"] == "weight" and record["schema"] == 3
assert record["ratios"]["wakeup_none_hogs_1 : wakeup_weighted_hogs_1"] == 10, record["ratios"]
assert 0 <= record["machine"]["others_share"] <= 1
PYTHON

# Without a place for its files it needs none.
"$ours" bench weight --json "$directory/alone.json" | grep -q wakeup_weighted_hogs_1

# What the programs' script counts instructions with, on an event that every machine has.
PYTHONPATH=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../bench/programs" && pwd) PYTHONDONTWRITEBYTECODE=1 python3 - <<'PYTHON'
import counters, os
clock = counters.Threads(os.getpid(), (1, 1))  # the CPU time of a task, ns
before = clock.count()
assert sum(range(1000000)) and clock.count() - before > 1e5, "no CPU time passed"
clock.close()
print("instructions:", counters.no_instructions() or "are counted here")
PYTHON

refused() { # WHY
  if "$ours" bench weight 2>"$directory/said"; then
    echo "taken, where '$1' was to be said"
    exit 1
  fi
  grep -F "$1" "$directory/said"
}
sed -i '/end/d' "$script"
refused "the script's figures are not complete"
printf '#!/bin/sh\nexit 1\n' >"$script"
refused "the script of bench weight failed"
rm "$script"
"$ours" bench list | grep -A1 '^weight *no ' | grep "needs the source tree"

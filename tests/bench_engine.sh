#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs the quick engine benchmark and checks its ratios with room for a noisy machine: it catches a path that became
# slow by design, not a per cent.   bench_engine.sh FARCALL JSON
set -euo pipefail
farcall=$1
json=$2
if (($(nproc) < 2)); then
  echo "SKIPPED: client and worker need a core each, and there is one"
  exit 77
fi
"$farcall" bench engine --quick --json "$json"
check() { # NAME OPERATOR LIMIT
  local value
  value=$(tr ',{}' '\n\n\n' <"$json" | sed -n "s/^ *\"$1\": *\([0-9.eE+-]*\) *$/\1/p" | head -n 1)
  [[ -n $value ]] || { echo "no ratio $1 in $json"; exit 1; }
  awk -v v="$value" -v l="$3" "BEGIN { exit !(v $2 l) }" || { echo "ratio $1 is $value, wanted $2 $3"; exit 1; }
  echo "ratio $1: $value ($2 $3)"
}
check 'nop_idle_channels_1 : cacheline_pingpong' '<' 2.0
check 'nop_idle_channels_4096 : nop_idle_channels_1' '<' 1.5
check 'pread_read_4k_in_flight_32 : read_4k_in_flight_32' '>' 0.4
check 'pread_read_4k_sequential_in_flight_32 : read_4k_sequential_in_flight_32' '>' 1.2
check 'calls_chain_30 : chain_30' '>' 0.4

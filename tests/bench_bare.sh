#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs the quick bare-guest benchmark and checks its ratios with room for a noisy machine: it catches a path that became
# slow by design, not a per cent.   bench_bare.sh FARCALL JSON
set -euo pipefail
farcall=$1
json=$2
if [[ ! -w /dev/kvm ]]; then
  echo "SKIPPED: no usable /dev/kvm on this machine, so the bare guest cannot run"
  exit 77
fi
"$farcall" bench bare --quick --json "$json"
check() { # NAME OPERATOR LIMIT
  local value
  value=$(tr ',{}' '\n\n\n' <"$json" | sed -n "s/^ *\"$1\": *\([0-9.eE+-]*\) *$/\1/p" | head -n 1)
  [[ -n $value ]] || { echo "no ratio $1 in $json"; exit 1; }
  awk -v v="$value" -v l="$3" "BEGIN { exit !(v $2 l) }" || { echo "ratio $1 is $value, wanted $2 $3"; exit 1; }
  echo "ratio $1: $value ($2 $3)"
}
check 'ring_nop : cacheline_pingpong' '<' 2.0
check 'vmexit_userspace : ring_nop' '>' 10
if grep -q '"io_uring_enter_in_flight_128 : ring_nop_in_flight_128"' "$json"; then
  check 'io_uring_enter_in_flight_128 : ring_nop_in_flight_128' '>' 1
  check 'io_uring_sqpoll_in_flight_128 : ring_nop_in_flight_128' '>' 1
else
  echo "SKIPPED IN PART: io_uring is not allowed on this machine, so there is nothing to compare throughput with"
fi

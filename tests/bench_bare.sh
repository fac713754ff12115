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
# shellcheck source=tests/bench_ratios.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/bench_ratios.sh"
check 'ring_nop : cacheline_pingpong' '<' 2.0
check 'vmexit_userspace : ring_nop' '>' 10
if grep -q '"io_uring_enter_in_flight_128 : ring_nop_in_flight_128"' "$json"; then
  check 'io_uring_enter_in_flight_128 : ring_nop_in_flight_128' '>' 1
  check 'io_uring_sqpoll_in_flight_128 : ring_nop_in_flight_128' '>' 1
else
  echo "SKIPPED IN PART: io_uring is not allowed on this machine, so there is nothing to compare throughput with"
fi

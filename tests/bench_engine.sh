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
# shellcheck source=tests/bench_ratios.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/bench_ratios.sh"
check 'nop_idle_channels_1 : cacheline_pingpong' '<' 2.0
check 'nop_idle_channels_4096 : nop_idle_channels_1' '<' 1.5
check 'pread_read_4k_in_flight_32 : read_4k_in_flight_32' '>' 0.4
check 'pread_read_4k_sequential_in_flight_32 : read_4k_sequential_in_flight_32' '>' 1.2
check 'calls_chain_30 : chain_30' '>' 0.4

#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs the quick engine benchmark and checks its ratios with room for a noisy machine: it catches a path that became
# slow by design, not a per cent.   bench_engine.sh FARCALL JSON
set -euo pipefail
# shellcheck source=tests/bench_ratios.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/bench_ratios.sh"
quick_run engine "$@"
check 'nop_idle_channels_1 : cacheline_pingpong' '<' 2.0
check 'nop_idle_channels_4096 : nop_idle_channels_1' '<' 1.5
check 'pread_read_4k_in_flight_32 : read_4k_in_flight_32' '>' 0.4
check 'pread_read_4k_sequential_in_flight_32 : read_4k_sequential_in_flight_32' '>' 1.2
check 'calls_chain_30 : chain_30' '>' 0.4
# A record is no different from itself, and says so line by line.
# shellcheck disable=SC2154
"$1" bench compare "$json" "$json" | tee "$json.compared" | tail -n 3
if grep -E ' (lower|higher)$' "$json.compared"; then exit 1; fi
grep -q ' no difference shown$' "$json.compared"

#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# What the preload library and farcall-exec add to a system call that stays where it is: at most 50 ns, of the 130 and more that
# the call itself takes, so less than the ratios here on any machine that is not much faster.
#   bench_calls.sh FARCALL JSON
set -euo pipefail
# shellcheck source=tests/bench_ratios.sh
. "$(dirname -- "$0")/bench_ratios.sh"
quick_run calls "$1" "$2"
for call in getppid read close; do
  check "${call}_preload : ${call}_dynamic" '<=' 1.4
  check "${call}_preload_counting : ${call}_dynamic" '<=' 1.5
  check "${call}_exec : ${call}_static" '<=' 1.6
done

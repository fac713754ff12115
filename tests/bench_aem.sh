#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs the quick benchmark of the event interface and checks its ratios with much room for a noisy machine: what they
# catch is a wake-up that waits for a timeout, or a cost that grows with what is registered.   bench_aem.sh FARCALL JSON
set -euo pipefail
# shellcheck source=tests/bench_ratios.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/bench_ratios.sh"
quick_run aem "$@"
check 'pingpong_handlers_2 : pingpong_epoll_2' '<' 30
check 'pingpong_2_registered_100000 : pingpong_2_registered_0' '<' 4

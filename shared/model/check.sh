#!/bin/bash
# SPDX-License-Identifier: MIT
# Model-checks the sleep/wake protocol: the models as they are must hold, and with any one piece taken out they must fail.
# Exit status: 0 all verdicts as expected, 1 not, 77 spin or a C compiler is missing (nothing was checked).
set -u
here=$(cd "$(dirname "$0")" && pwd)
CC=${CC:-cc}
for tool in spin "$CC"; do
    if ! command -v "$tool" >/dev/null; then
        echo "SKIPPED: the protocol models were not checked, '$tool' is missing (Debian: apt-get install spin gcc)" >&2
        exit 77
    fi
done
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
count=0

# search NUMBER EXPECTED MODEL OPTION...: one exhaustive search, or one up to the first error. Writes $work/NUMBER.verdict.
search() {
    local number=$1 expected=$2 model=$3 got states note=
    shift 3
    mkdir "$work/$number" && cd "$work/$number" && cp "$here"/*.pml . || return
    if ! { spin -a "${@/#/-D}" "$model.pml" && "$CC" -O1 -w -DSAFETY -DVECTORSZ=512 -o pan pan.c; } >out 2>&1; then
        got=broken note=$(head -1 out)
    else
        ./pan -m1000000 -w21 >out 2>&1
        states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' out)
        if grep -qE 'invalid end state \(|assertion violated' out; then
            got=fails note=$(sed -n 's/^pan:1: \([a-z ]*[a-z]\).*/\1/p' out)
        elif grep -qE 'search depth too small|out of memory|aborting|Search not completed' out; then
            got=incomplete
        elif grep -q 'errors: 0' out; then
            got=holds
        else
            got=broken
        fi
    fi
    [ "$got" = "$expected" ] || note="WRONG, must be: $expected. $note"
    printf '%-10s %-5s %8s states  %-54s %s\n' "$model" "$got" "${states:-?}" "$*" "$note" >"$work/$number.verdict"
    cd "$work" && rm -rf "${work:?}/$number"
}

# Two at a time, each about 100 MB at the most.
verdict() {
    count=$((count + 1))
    while [ "$(jobs -rp | wc -l)" -ge 2 ]; do wait -n; done
    search "$(printf '%03d' $count)" "$@" &
}

# The worker's side and the credit.
for piece in POST_FENCE WORKER_ARM_FENCE WORKER_RECHECK DOORBELL_LATCH; do
    verdict fails sleep_wake SLEEP_WAIT BREAK_$piece
done
verdict fails sleep_wake SLEEP_WAIT BREAK_TAIL_LAG
verdict fails sleep_wake SLEEP_WAIT COMMANDS=2 BREAK_READ_BEFORE_SCAN
for piece in READ_FENCE CREDIT_RING CREDIT_RECHECK; do
    verdict fails sleep_wake SLEEP_WAIT OVERPOST BREAK_$piece
done
# Two channels of one worker: they share its doorbell, and both may lie in its cold list.
verdict holds sleep_wake ONE_WAY CHANNELS=2 COMMANDS=1
verdict fails sleep_wake ONE_WAY CHANNELS=2 COMMANDS=1 BREAK_SCAN_ALL
verdict fails sleep_wake ONE_WAY CHANNELS=2 COMMANDS=1 BREAK_READ_BEFORE_SCAN
# The client's side, in each way of sleeping.
for sleep in SLEEP_WAIT SLEEP_POLL SLEEP_SOCKET; do
    verdict holds sleep_wake $sleep
    verdict holds sleep_wake $sleep COMMANDS=2 OVERPOST
    verdict holds sleep_wake $sleep COMMANDS=2 CLOSE
    verdict fails sleep_wake $sleep CLOSE BREAK_CLOSE_ALWAYS_RAISES
    verdict fails sleep_wake $sleep BREAK_INTERRUPT_FENCE
    verdict fails sleep_wake $sleep BREAK_CLEAR_FIRST
done
# FC_IOC_WAIT looks again behind its own barrier, so the library's own look is a short cut there.
verdict holds sleep_wake SLEEP_WAIT COMMANDS=2 BREAK_CLIENT_ARM_FENCE
verdict holds sleep_wake SLEEP_WAIT COMMANDS=2 BREAK_CLIENT_RECHECK
verdict fails sleep_wake SLEEP_WAIT BREAK_WAIT_ORDER
verdict fails sleep_wake SLEEP_WAIT BREAK_LATCH
verdict fails sleep_wake SLEEP_POLL BREAK_CLIENT_ARM_FENCE
verdict fails sleep_wake SLEEP_POLL BREAK_LATCH
verdict fails sleep_wake SLEEP_SOCKET BREAK_CLIENT_ARM_FENCE
verdict fails sleep_wake SLEEP_SOCKET BREAK_CLIENT_RECHECK
# Messages to a worker from other threads, and its own timers.
verdict holds inbox
for piece in POST_FENCE SLEEP_FENCE RECHECK DOORBELL_LATCH SLEEP_AFTER_TIMERS; do
    verdict fails inbox BREAK_$piece
done
# Events with several waiters: every command completes once, whatever ends it first.
verdict holds multi_wait
for piece in CANCEL_RUNNING RELEASE_REF READY_REF TIMER_REF FOREIGN_LOOKUP REAP_RUNNING; do
    verdict fails multi_wait BREAK_$piece
done
# With commands that outlive their client; without them, nothing is left of it but what runs.
verdict holds multi_wait DETACHED
verdict fails multi_wait DETACHED BREAK_REAP_LIVE
wait

cat "$work"/*.verdict
finished=$(cat "$work"/*.verdict | grep -vc WRONG)
echo "$count searches, $((count - finished)) with a wrong verdict or none"
[ "$finished" -eq "$count" ]

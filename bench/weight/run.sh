#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Measures event-priority weighting in VMs, policies `none`, `weighted` and `urgent` side by side in one run, on each guest kernel:
# tables on stdout. On this machine's KVM, or in the nested rig where that cannot run a guest kernel. `farcall bench weight`
# runs it.
#   run.sh BUILD OUTDIR [--quick]
# OUTDIR gets weight.jsonl (as measured), weight.svg and samples.jsonl, which the harness reads.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../../scripts/lib.sh"
here=$repo_root/bench/weight

if [[ ${1:-} == --in-vm ]]; then # BUILD RELEASE ROUND EVENTS MILLISECONDS OUT
  shift
  "$1/farcall" run --root packed --timeout 700 --guest "$2" --user 0:0 --append farcall.policy=none --add "$1/farcall-demo:/bin/farcall-demo" \
    --add "$here/guest.sh:/guest.sh" -- /bin/sh /guest.sh "$3" "$4" "$5" >"$6" || exit
  # A program that failed leaves no table that looks complete.
  [[ $(tail -n 1 "$6") == end ]] || die "kernel $2: not all was measured"
  exit
fi
(($# >= 2)) || die "usage: run.sh BUILD OUTDIR [--quick]"
need python3
build=$(cd -- "$1" && pwd)
mkdir -p "$2"
out=$(cd -- "$2" && pwd)
rounds=3 sizes=(500 2000)
if [[ ${3:-} == --quick ]]; then rounds=1 sizes=(100 1000); fi
place=()
if ! runs_guests "$build"; then
  place=(rig)
  note "this machine's KVM cannot run a guest kernel: measured in the nested rig, rig against rig"
fi

# A round is a VM of its own. In the rig it is repeated when the emulator has lost it (statuses 123 and 124: the rig; 124 and
# 125: the guest), and never silently.
one_round() { # RELEASE ROUND
  local measure=("$here/run.sh" --in-vm "$build" "$1" "$2" "${sizes[@]}" "$out/round.jsonl")
  if ((${#place[@]} == 0)); then
    "${measure[@]}"
    return
  fi
  again_if_lost 5 '123|124|125' "round $2 on kernel $1" \
    "$repo_root/scripts/rig.sh" --timeout 750 --export "$out" -- "${measure[@]}"
}

rm -f "$out/weight.jsonl"
for ((round = 1; round <= rounds; round++)); do
  for release in 6.12 6.1; do
    one_round "$release" "$round"
    cat "$out/round.jsonl" >>"$out/weight.jsonl"
  done
done
rm "$out/round.jsonl"
python3 "$here/report.py" "$out/weight.jsonl" "$out/weight.svg" "$out/samples.jsonl" "${place[@]}"
note "results: $out"

#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Measures programs that know nothing of farcall, in its guest and beside it: on the host itself, in QEMU with virtiofs and
# 9p, and with an exit for each operation. On this machine's KVM, or in the nested rig where that cannot run a guest kernel.
#   run.sh BUILD OUTDIR [--quick | --rounds N] [--plan files|programs] [--price US] [-- OPTIONS of measure.py…]
# OUTDIR gets files.* and programs.*: .jsonl (as measured), .md, .json and .svg; and samples.jsonl of both, which
# `farcall bench programs` reads when it runs this.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../../scripts/lib.sh"
here=$repo_root/bench/programs

(($# >= 2)) || die "usage: run.sh BUILD OUTDIR [--quick | --rounds N] [--plan files|programs] [--price US] [-- OPTIONS of measure.py…]"
build=$(cd -- "$1" && pwd)
mkdir -p "$2"
out=$(cd -- "$2" && pwd)
shift 2
rounds=5 budget=0.1 price=1.5 round_limit=600 plans=(files programs)
while (($# > 0)); do
  case $1 in
    --quick) rounds=1 budget=0.05; shift ;;
    --rounds) (($# >= 2)) || die "--rounds needs a number"; rounds=$2; shift 2 ;;
    --plan) (($# >= 2)) || die "--plan needs files or programs"; plans=("$2"); shift 2 ;;
    --price) (($# >= 2)) || die "--price needs microseconds"; price=$2; shift 2 ;;
    --) shift; break ;;
    *) die "unknown option '$1'" ;;
  esac
done
need python3 taskset qemu-system-x86_64 cpio sqlite3 redis-server redis-benchmark nginx wrk
need_root
virtiofsd=$(find_virtiofsd)
[[ -x $build/farcall-probe ]] || die "$build/farcall-probe is missing; run scripts/build.sh first"
peers=$farcall_cache/peers
"$here/fetch-peers.sh" "$peers" || note "SKIP 9p and vhost-net: their modules cannot be had, see above"

kind=hardware
runs_guests "$build" || kind=rig
[[ $kind == hardware ]] || note "this machine's KVM cannot run a guest kernel: measured in the nested rig, rig against rig"

# A round is a process of its own, and in the rig has a rig of its own too, since the emulator now and then
# loses all of it (it hangs, or ends with status 123). Only that is repeated, and never silently.
one_round() { # PLAN NUMBER OUT OPTIONS…
  local plan=$1 number=$2 to=$3
  shift 3
  local measure=(python3 "$here/measure.py" "$build" "$to" --plan "$plan" --first "$number" --peers "$peers"
    --modules "$farcall_cache/kernels/guest-6.12/modules" --qemu "$(command -v qemu-system-x86_64)" --virtiofsd "$virtiofsd"
    --budget "$budget" "$@")
  if [[ $kind == hardware ]]; then
    "${measure[@]}"
    return
  fi
  # The guests of all systems are up at once.
  again_if_lost 3 '123|124' "round $((number + 1)) of $plan" \
    "$repo_root/scripts/rig.sh" --timeout "$round_limit" --mem 6144 --pin --export "$out" -- "${measure[@]}"
}

for plan in "${plans[@]}"; do
  rm -f "$out/$plan.jsonl"
  for ((number = 0; number < rounds; number++)); do
    one_round "$plan" "$number" "$out/round.jsonl" "$@"
    cat "$out/round.jsonl" >>"$out/$plan.jsonl"
  done
  rm -f "$out/round.jsonl"
  python3 "$here/report.py" "$out/$plan.jsonl" --price "$price"
done
python3 "$here/samples.py" --price "$price" "${plans[@]/#/$out/}" >"$out/samples.jsonl"
note "results: $out"

# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034
# Helpers shared by the scripts; sourced, never run. The sourcing script sets `set -euo pipefail` itself.

# The repository's root, from this file's own place, so that a checkout works wherever it lies.
repo_root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
farcall_cache=${FARCALL_CACHE:-$repo_root/.cache}
[[ $farcall_cache == /* ]] || farcall_cache=$PWD/$farcall_cache
lib_name=$(basename -- "$0" .sh)
lib_start=$SECONDS
lib_planned=0
lib_spent=0
lib_step_estimate=0

# note TEXT…: one line of progress on stderr; stdout stays free for results.
note() { printf '%s: %s\n' "$lib_name" "$*" >&2; }

# die TEXT…: one clear sentence, exit status 1 (or $die_status where a script documents another).
die() {
  printf '%s: %s\n' "$lib_name" "$*" >&2
  exit "${die_status:-1}"
}

need() {
  local tool
  for tool in "$@"; do
    command -v "$tool" >/dev/null || die "the program '$tool' is missing; run scripts/setup.sh as root first"
  done
}

# runs_guests BUILD: this machine's own KVM can run a guest kernel; otherwise the nested rig has to.
runs_guests() { "$1/farcall" doctor | grep -q '^yes guests on'; }

# again_if_lost ATTEMPTS STATUSES WHAT COMMAND…: repeats a command that ended with one of these (1|2|…), by which it was lost to
# the rig's emulator, and never silently. Returns its last status.
again_if_lost() {
  local attempts=$1 lost=$2 what=$3 attempt status=0
  shift 3
  for ((attempt = 1; attempt <= attempts; attempt++)); do
    status=0
    "$@" || status=$?
    [[ $status =~ ^($lost)$ ]] || return "$status"
    note "RETRY $what: the emulator lost it (attempt $attempt of $attempts)"
  done
  return "$status"
}

find_virtiofsd() {
  local path
  for path in /usr/lib/qemu/virtiofsd /usr/libexec/virtiofsd; do
    if [[ -x $path ]]; then echo "$path"; return; fi
  done
  die "virtiofsd is missing (Debian: qemu-system-common up to 7.2, later virtiofsd); run scripts/setup.sh as root first"
}

need_root() { [[ $EUID -eq 0 ]] || die "this script has to run as root"; }

mm_ss() { printf '%d:%02d' $(($1 / 60)) $(($1 % 60)); }
elapsed() { mm_ss $((SECONDS - lib_start)); }

# plan SECONDS: how long all steps together are expected to take. Without it step prints no remaining time.
plan() {
  lib_planned=$1
  lib_start=$SECONDS
}

# step TEXT [SECONDS]: announces the next step, with an estimate for it. The remaining time is the plan minus the
# estimates of the steps behind us, not minus the clock: a slow machine is then not told "0 s left" halfway.
step() {
  lib_spent=$((lib_spent + lib_step_estimate))
  lib_step_estimate=${2:-0}
  local left=''
  if ((lib_planned > lib_spent)); then left=", about $(mm_ss $((lib_planned - lib_spent))) left"; fi
  printf '==> [%s%s] %s\n' "$(elapsed)" "$left" "$1" >&2
}

# end_process PID: ends a child of this shell, politely first, and reaps it.
end_process() {
  local pid=$1 i
  kill -TERM "$pid" 2>/dev/null || { wait "$pid" 2>/dev/null || true; return 0; }
  for ((i = 0; i < 40; i++)); do
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.05
  done
  kill -KILL "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
}

# build_c OUT FLAGS… SOURCE…: compiles into a temporary name and renames it, so that several scripts may do it at once;
# skipped when OUT is newer than every source.
build_c() {
  local out=$1 tmp arg stale=0
  shift
  [[ -x $out ]] || stale=1
  for arg in "$@"; do
    if [[ -f $arg && $arg -nt $out ]]; then stale=1; fi
  done
  if ((stale == 0)); then return 0; fi
  need gcc
  mkdir -p "$(dirname -- "$out")"
  tmp=$(mktemp "$out.XXXXXX")
  gcc -O2 -g0 -std=gnu11 -Wall -Wextra -o "$tmp" "$@" || { rm -f "$tmp"; die "cannot compile $out"; }
  chmod 755 "$tmp"
  mv -f "$tmp" "$out"
}

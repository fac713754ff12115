#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The end-to-end session, on a machine whose KVM runs guests: hardware, or the rig's host. Boots VMs with
# BUILD/farcall and writes "pass NAME" / "fail NAME" lines to RESULTS; what the programs print goes to stdout.
#   in_vm.sh BUILD RESULTS FILES RELEASE…      FILES: a list of a thousand files, one a line
set -uo pipefail
build=$1
results=$2
files=$3
shift 3
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
# Files in memory: what is measured is the path to them, and the rig's own file system is not part of that.
mount -t tmpfs -o mode=0755 farcall-e2e "$work"
trap 'cd /; umount "$work"; rmdir "$work"' EXIT
mkdir "$work/in" "$work/out"

prepare() {
  local n=0 file
  head -c 3000000 /dev/urandom >"$work/in/a"
  head -c 2500000 /dev/urandom >"$work/in/b"
  ln -s /etc/passwd "$work/in/escape"
  mkdir "$work/in/many.d"
  while IFS= read -r file; do
    cp -- "$file" "$work/in/many.d/$n" && echo "many.d/$n"
    n=$((n + 1))
  done <"$files" >"$work/in/many"
  verdict thousand-files test "$n" -eq 1000
}

verdict() { # NAME COMMAND…: the command's status decides
  local name=$1
  shift
  if "$@"; then echo "pass $name" >>"$results"; else echo "fail $name" >>"$results"; fi
}

vm() { "$build/farcall" run --timeout 300 --guest "$release" "$@"; }

kernel_log_is_clean() {
  [[ -s $1 ]] || { echo "the kernel log is empty"; return 1; }
  ! grep -nE 'BUG|WARNING|Oops|Call Trace|lockdep|stack guard|possible recursive' "$1"
}

# An emulated host (the rig) now and then loses a guest: it hangs until its limit (124), resets without a word (125), or
# takes one interrupt twice, which ends in an overflow of the entry stack (255): QEMU's TCG, up to 10.0 at least, injects
# again what it has injected at a VMRUN when something asks the virtual CPU to leave just then. There, and only for
# these, a session is tried again, and says so: a check that fails is never repeated.
lost_by_emulator() {
  grep -q 'TCG' /proc/cpuinfo || return 1
  case $1 in
    124) ;;
    125) grep -q 'the guest rebooted' "$work/log" ;;
    255) grep -q 'ENTRY_TRAMPOLINE stack guard page was hit' "$work/log" ;;
    *) return 1 ;;
  esac
}

main_session() {
  local attempt
  for attempt in 1 2 3; do
    session
    lost_by_emulator "$?" || break
    cat "$work/log"
    echo "RETRY $release: the guest was lost (attempt $attempt of 3); what it had printed is above"
  done
  judge
}

session() {
  rm -rf "$work/out" "$work/klog"
  mkdir -m 777 "$work/out"
  vm --stats --kernel-log "$work/klog" --add "$here/guest.sh:/guest.sh" --add "$build/farcall-demo:/bin/farcall-demo" \
    --share "$work/in:ro" --share "$work/out:rw" -- /bin/sh /guest.sh >"$work/log" 2>&1
  status=$?
  return "$status"
}

judge() {
  cat "$work/log"
  grep -aE '^(pass|fail) ' "$work/log" | sed "s/^\([a-z]*\) /\1 $release-/" >>"$results"
  verdict "$release-session-status" test "$status" -eq 0
  verdict "$release-cat-bytes" cmp <(cat "$work/in/a" "$work/in/b") "$work/out/cat"
  verdict "$release-parallel-bytes" cmp <(cat "$work/in/a" "$work/in/b") "$work/out/parallel"
  verdict "$release-thousand-bytes" cmp <(cd "$work/in" && xargs cat <many) "$work/out/thousand"
  verdict "$release-after-kill-bytes" cmp <(cat "$work/in/a" "$work/in/b") "$work/out/after-kill"
  verdict "$release-kernel-log" kernel_log_is_clean "$work/klog"
}

# As if it were run here: standard streams apart, binary clean, exit status.
streams() {
  local status
  head -c 300000 "$work/in/a" >"$work/stdin"
  vm -- /bin/sh -c 'cat; echo complaint >&2; exit 7' <"$work/stdin" >"$work/stdout" 2>"$work/stderr"
  status=$?
  cat "$work/stderr"
  ((status == 7)) && cmp "$work/stdin" "$work/stdout" && [[ $(cat "$work/stderr") == complaint ]]
}

# A signal reaches the command, and its own status comes back. (Not SIGINT: a shell has background jobs ignore it.)
terminated() {
  local pid status
  # Not through vm(): the signal is for farcall itself, not for a shell around it.
  "$build/farcall" run --timeout 300 --guest "$release" -- /bin/sh -c 'trap "exit 41" TERM; echo ready; while :; do sleep 1; done' >"$work/ready" 2>&1 &
  pid=$!
  for _ in $(seq 300); do
    grep -q ready "$work/ready" && break
    sleep 0.2
  done
  kill -TERM "$pid"
  wait "$pid"
  status=$?
  cat "$work/ready"
  ((status == 41))
}

# A guest that ends by itself is not a command that succeeded.
turned_off() {
  vm --user 0:0 -- /bin/sh -c 'poweroff -f; sleep 60' >"$work/off" 2>&1
  local status=$?
  cat "$work/off"
  ((status == 125)) && grep -q 'the guest turned itself off' "$work/off"
}

not_found() {
  vm -- /no/such/program
  (($? == 127))
}

# The same for the short checks: LOG COMMAND…
once_more_if_lost() {
  local log=$1
  shift
  "$@" && return 0
  grep -q TCG /proc/cpuinfo && grep -qE 'the guest was ended after|the guest rebooted' "$log" || return 1
  echo "RETRY $release $1: the guest was lost"
  "$@"
}

prepare
for release in "$@"; do main_session; done
release=$1
verdict streams once_more_if_lost "$work/stderr" streams
verdict terminated once_more_if_lost "$work/ready" terminated
verdict turned-off once_more_if_lost "$work/off" turned_off
verdict command-not-found not_found

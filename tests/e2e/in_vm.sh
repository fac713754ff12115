#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The end-to-end session, on a machine whose KVM runs guests: hardware, or the rig's host. Boots VMs with
# BUILD/farcall and writes "pass NAME" / "fail NAME" lines to RESULTS, the latter with what was said, in lines that begin with
# "  | "; what the programs print goes to stdout.
#   in_vm.sh BUILD RESULTS FILES RELEASE…      FILES: a list of a thousand files, one a line
set -uo pipefail
build=$(realpath -- "$1")
results=$(realpath -- "$2")
files=$(realpath -- "$3")
shift 3
export LC_ALL=C # names of any bytes
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
# Files in memory: what is measured is the path to them, and the rig's own file system is not part of that.
mount -t tmpfs -o mode=0755 farcall-e2e "$work"
# On the host's loopback, TCP and UDP: +0 echoes TCP (IPv4 and IPv6), +1 UDP, +2 keeps what it gets; guests may talk to these.
# +3 echoes TCP, but is nobody's business. +4 and +5 are published for TCP and UDP; so are +6 and +7, which guests may talk to,
# and on the IPv6 loopback +8, for both. +20 to +23 are a published range.
# +9 to +11: servers.sh.
ports=18470
peers=()
peer() { "$build/farcall-e2e-peer" "$@"; }
trap 'kill "${peers[@]}"; cd /; umount "$work"; rmdir "$work"' EXIT
cd "$work" || exit 1
mkdir in out

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
  head -c 60000 "$work/in/a" >"$work/in/small"
  mkdir -m 1770 "$work/in/names"
  (cd "$work/in/names" && mkdir directory && echo text >file && chmod 4751 file && ln file hard && ln -s nowhere link \
    && mkfifo fifo && touch -d @1.000000001 "a name" $'\xff\xfe' "$(printf 'long%.0s' {1..63})")
}

start_peers() {
  local arguments
  for arguments in "echo tcp:$ports" "echo tcp6:$ports" "echo udp:$((ports + 1))" "sink tcp:$((ports + 2)) sunk" \
    "echo tcp:$((ports + 3))" "echo unix:in/host.sock"; do
    # shellcheck disable=SC2086
    "$build/farcall-e2e-peer" $arguments &
    peers+=("$!")
  done
}

net_options() {
  echo "--allow tcp:127.0.0.1:$ports --allow tcp:[::1]:$ports --allow udp:127.0.0.1:$((ports + 1)) --allow unix" \
    "--allow tcp:127.0.0.1:$((ports + 2)) --publish $((ports + 4)):8080 --publish $((ports + 5)):8081/udp" \
    "--allow tcp:127.0.0.1:$((ports + 6)) --publish $((ports + 6)):8082 --allow udp:127.0.0.1:$((ports + 7))" \
    "--publish $((ports + 7)):8083/udp --allow tcp:[::1]:$((ports + 8)) --allow udp:[::1]:$((ports + 8))" \
    "--publish [::1]:$((ports + 8)):8084 --publish [::1]:$((ports + 8)):8084/udp --publish $((ports + 20))-$((ports + 23))"
}

verdict() { # NAME COMMAND…: the command's status decides
  local name=$1 word=pass
  shift
  "$@" >"$work/verdict" 2>&1 || word=fail
  cat "$work/verdict"
  echo "$word $name" >>"$results"
  [[ $word == pass ]] || tail -n 60 "$work/verdict" | sed 's/^/  | /' >>"$results"
}

# guest_verdicts PREFIX: those of the checks that ran in the guest, from ./log.
guest_verdicts() {
  awk -v prefix="$1-" '
    /^--- / { text = "" }
    /^(pass|fail) / { print $1 " " prefix $2; if ($1 == "fail") printf "%s", text; text = ""; next }
    { text = text "  | " $0 "\n" }' log >>"$results"
}

vm() { "$build/farcall" run --timeout 300 --guest "$release" "$@"; }
# The same in place of this shell, for a background job whose process is farcall itself. One that hangs is found by its watchdog;
# on a busy machine the main session has taken 234 s.
vm_here() { exec "$build/farcall" run --timeout 600 --guest "$release" "$@"; }

kernel_log_is_clean() {
  [[ -s $1 ]] || { echo "the kernel log is empty"; return 1; }
  ! grep -nE 'BUG|WARNING|Oops|Call Trace|lockdep|stack guard|possible recursive' "$1"
}

# An emulated host (the rig) now and then loses a guest: it hangs until its limit (124), resets without a word (125), or takes
# one interrupt twice, which ends in an overflow of the entry stack (255; seen once, in the middle of a session, without a word of it
# on the console, where a panic of ours is told in full). QEMU's TCG (seen with 10.0; 11.1 loses guests too) mixes
# up the states of the host's and the guest's CPU at a nested VM exit: traced, such a guest goes on at the address behind the rig
# host's own VMRUN, or the rig host takes an interrupt there with the guest's GS. It comes with interrupts for a busy guest: one
# random test loses its guest within some 20 s with the file system "farcall" in use, and did not in three runs of 150 s without.
# There, and only for these, a session is tried again, and says so: a check that fails is never repeated.
lost_by_emulator() {
  grep -q 'TCG' /proc/cpuinfo || return 1
  case $1 in
    124) ;;
    125) grep -q 'the guest rebooted' "$work/log" ;;
    255) grep -q 'ENTRY_TRAMPOLINE stack guard page was hit' "$work/log" || ! grep -q "the guest's console" "$work/log" ;;
    *) return 1 ;;
  esac
}

# watchdog PID FILE SECONDS, in the background: ends the VM of a guest that has written nothing to FILE for so long, since nobody
# should wait for its whole time limit.
watchdog() {
  cd / || return
  while sleep 2 && kill -0 "$1" 2>/dev/null; do
    if (($(date +%s) - $(stat -c %Y "$2") > $3)); then
      echo "the guest has said nothing for $3 s"
      kill -KILL "$1"
      return
    fi
  done
}

# The status of the VM PID; as at its time limit when the watchdog has ended it.
ended() {
  wait "$1"
  local status=$?
  ((status == 137)) && return 124
  return "$status"
}

# with_retries LABEL SESSION…: SESSION leaves what it printed in ./log.
with_retries() {
  local label=$1 attempt ended_with
  shift
  for attempt in 1 2 3; do
    "$@"
    ended_with=$?
    lost_by_emulator "$ended_with" || break
    cat log
    echo "RETRY $release $label: the guest was lost (attempt $attempt of 3, status $ended_with); what it had printed is above"
  done
  cat log
}

# converse ANSWER: what the guest says is in ./log; its lines "ask WHAT…" are answered by ANSWER WHAT…: "good", or the problem.
converse() {
  local line
  : >log
  watchdog "$vm_pid" "$work/log" 150 &
  exec 3>to
  while IFS= read -r line; do
    printf '%s\n' "$line"
    [[ $line == "ask "* ]] || continue
    # shellcheck disable=SC2086
    if "$1" ${line#ask } >problem 2>&1; then echo good >&3; else tr '\n' ' ' <problem >&3 && echo >&3; fi
  done <from >>log
  ended "$vm_pid"
  status=$?
  exec 3>&-
  return "$status"
}

main_session() {
  with_retries "main session" session
  judge
}

# What the monitor has in use for its guests. Not the memory of event graphs: the guest's kernel is a client that stays, and
# keeps what it has needed at a time.
usage() {
  peer ask control "stats prometheus" | grep '^farcall_domain_' | grep -v '^farcall_domain_graph_bytes' && echo "descriptors $(find "/proc/$vm_pid/fd" -mindepth 1 | wc -l)"
}

# What the guest asks for while it runs: its output has a line "ask WHAT…".
answer() {
  local i
  case $1 in
    baseline) usage >baseline ;;
    idle) # what processes of the guest had is the host's again
      for ((i = 0; i < 150; i++)); do
        usage >now
        cmp -s baseline now && return
        sleep 0.2
      done
      diff baseline now
      return 1 ;;
    few) # the guest's init, its kernel, and the 16 that may leave commands behind
      for ((i = 0; i < 150; i++)); do
        [[ $(usage | sed -n 's/^farcall_domain_clients{.*} //p') -le 18 ]] && return
        sleep 0.2
      done
      usage
      return 1 ;;
    fs-write) echo "${*:3}" >"fs/${2#/mnt/fs/}" ;;
    fs-remove) rm "fs/${2#/mnt/fs/}" ;;
    call) peer "$@" ;;
    *) echo "unknown: $*"; return 1 ;;
  esac
}

session() {
  local workers=1 cores=auto io=auto
  # One release with two workers, and without io_uring. Both on one core: the other one is the guest's.
  [[ $release == 6.1 ]] && workers=2 cores=1,1 io=pool
  rm -rf out klog to from control
  mkdir -m 777 out
  rm -rf fs
  mkdir -m 777 fs
  head -c 1000000 /dev/urandom >fs/from-host
  mkfifo to from
  # Not through vm(): the descriptors of farcall itself are counted, and a shell's usual limit of them is not the guest's.
  # shellcheck disable=SC2046
  (
    ulimit -S -n 1024
    exec "$build/farcall" run --root packed --timeout 600 --guest "$release" --stats --kernel-log klog --control control \
      --workers "$workers" --worker-cores "$cores" --io "$io" --env "WORKERS=$workers" --env "PORTS=$ports" $(net_options) \
      --add "$here/guest.sh:/guest.sh" --add "$here/fs_guest.sh:/fs_guest.sh" --add "$build/farcall-e2e-fs:/bin/farcall-e2e-fs" \
      --add "$build/farcall-demo:/bin/farcall-demo" --add "$build/farcall-kv:/bin/farcall-kv" \
      --add "$build/farcall-aem-timer:/bin/farcall-aem-timer" --add "$build/farcall-aem-echo:/bin/farcall-aem-echo" \
      --share "$work/in:ro" --share "$work/out:rw" --share "$work/fs:/mnt/fs:rw" -- /bin/sh /guest.sh <to >from 2>&1
  ) &
  vm_pid=$!
  converse answer
}

# What the host sees of a directory, as farcall-demo list says it.
names_in() {
  find "$1" -mindepth 1 -maxdepth 1 -printf 'entry %f %y %m %n %s %i %T@ %l\n' \
    | sed 's/ \([0-9]*\)\.\([0-9]\{9\}\)0 / \1\2 /' | sort
}
same_names() { diff <(sed -n "/^--- $1: /,/^pass $1\$/ { /^entry /p }" log | sort) <(names_in "$2"); }

# A hole, what writev wrote, and zeros.
expected_data() {
  head -c 4096 /dev/zero
  printf 'f%.0s' {1..904}
  printf nearf
  head -c 94995 /dev/zero
}

# The same program here; and what the guest's tools made, as this side sees it.
fs_judge() {
  rm -rf fs-here
  verdict "$release-fs-program-same" diff <("$build/farcall-e2e-fs" fs-here 2>&1) fs/program.out
  verdict "$release-fs-copy-bytes" cmp fs/from-host fs/tree/copy
  verdict "$release-fs-tree" diff <(cd fs/tree && find . -printf '%p %y %m %n %s %l\n' | sort) fs/tree.list
  verdict "$release-fs-from-guest" grep -qx 'from the guest, and more' fs/said
}

session_ended() { # STATUS
  [[ $status == "$1" ]] || { echo "it ended with status $status, not $1"; return 1; }
}

judge() {
  guest_verdicts "$release"
  verdict "$release-session-status" session_ended 0
  verdict "$release-cat-bytes" cmp <(cat "$work/in/a" "$work/in/b") "$work/out/cat"
  verdict "$release-parallel-bytes" cmp <(cat "$work/in/a" "$work/in/b") "$work/out/parallel"
  verdict "$release-thousand-bytes" cmp <(cd "$work/in" && xargs cat <many) "$work/out/thousand"
  verdict "$release-after-kill-bytes" cmp <(cat "$work/in/a" "$work/in/b") "$work/out/after-kill"
  verdict "$release-tree-bytes" cmp <(expected_data) out/tree/data
  verdict "$release-copy-bytes" cmp in/a out/tree/copy
  verdict "$release-tree-names" same_names list-tree out/tree
  verdict "$release-names" same_names list-names in/names
  verdict "$release-many-names" grep -qx "digest $(names_in in/many.d | sha256sum)" log
  verdict "$release-sendfile-bytes" cmp <(tail -c 3000000 sunk) in/a
  verdict "$release-kv-bytes" cmp in/small out/kv
  verdict "$release-neighbours-bytes" cmp <(echo after all of them) out/neighbours
  verdict "$release-detached-bytes" cmp <(cat out/detached-exit out/detached-close out/detached-kill) <(printf 'one two\n%.0s' 1 2 3)
  fs_judge
  verdict "$release-never-bytes" test ! -s out/never
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
  "$build/farcall" run --root packed --timeout 300 --guest "$release" -- /bin/sh -c 'trap "exit 41" TERM; echo ready; while :; do sleep 1; done' >"$work/ready" 2>&1 &
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
  vm --root packed --user 0:0 -- /bin/sh -c 'poweroff -f; sleep 60' >"$work/off" 2>&1
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

# shellcheck source=tests/e2e/images.sh
. "$here/images.sh"
# shellcheck source=tests/e2e/weight.sh
. "$here/weight.sh"
# shellcheck source=tests/e2e/programs.sh
. "$here/programs.sh"
# shellcheck source=tests/e2e/servers.sh
. "$here/servers.sh"
short_checks() {
  verdict streams once_more_if_lost "$work/stderr" streams
  verdict terminated once_more_if_lost "$work/ready" terminated
  verdict turned-off once_more_if_lost "$work/off" turned_off
  verdict command-not-found not_found
}

# For a look at one part by hand: FARCALL_E2E="main_session weight_checks image_checks program_checks server_checks short_checks"
parts=${FARCALL_E2E:-main_session weight_checks image_checks program_checks server_checks short_checks}
prepare
start_peers
for release in "$@"; do
  for part in $parts; do [[ $part == short_checks ]] || "$part"; done
done
release=$1
[[ $parts != *short_checks* ]] || short_checks

#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Runs the end-to-end session where this machine can: on its own KVM, or in the nested rig. RESULTS gets one line a check.
#   session.sh BUILD RESULTS
set -euo pipefail
build=$(cd -- "$1" && pwd)
results=$2
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
out=$(dirname -- "$results")
mkdir -p "$out"
: >"$results"

# A thousand real files, of whatever size and content this machine has. Found here: a walk through the whole tree from
# inside the rig would keep a descriptor open for each file.
find /usr/share/doc -type f -size -500k | LC_ALL=C sort | awk 'NR <= 1000' >"$out/files"

# Programs without shared libraries, for the guest: building them inside the rig would take minutes.
mkdir -p "$build/programs"
programs=$here/../programs
CGO_ENABLED=0 GOCACHE=$build/programs/cache GOFLAGS=-trimpath go build -o "$build/programs/static-go" "$programs/static.go"
musl-gcc -static -O1 -o "$build/programs/static-musl" "$programs/static.c"

# What in_vm.sh calls its parts: each in a rig of its own, since the emulator now and then breaks down (status 123, or a hang)
# in what would be the middle of all. That is not ours; a check that fails is never repeated.
run_parts() { # NAME RELEASE PARTS
  local attempt status=0 own=$out/results.$1
  for attempt in 1 2 3; do
    : >"$own"
    status=0
    "${machine[@]}" env FARCALL_E2E="$3" "$here/in_vm.sh" "$build" "$own" "$out/files" "$2" || status=$?
    [[ $kind == rig && $status == 12[34] ]] || break
    cat "$own"
    echo "RETRY $1: the rig was lost (attempt $attempt of 3); what its checks had said is above"
  done
  cat "$own" >>"$results"
  return "$status"
}

status=0 kind=hardware machine=()
if "$build/farcall" doctor | grep -q "^yes guests on"; then
  echo "end-to-end session on this machine's KVM"
else
  echo "this machine's KVM cannot run a guest kernel: end-to-end session in the nested rig"
  kind=rig machine=("$here/../../scripts/rig.sh" --timeout 1500 --export "$out" --)
fi
for release in 6.12 6.1; do
  run_parts "$release" "$release" "main_session weight_checks image_checks" || status=$?
done
# Each of these takes minutes in the rig, so each is run with one of the kernels. By hand, with the other one: FARCALL_E2E, see
# in_vm.sh. (A 6.12 guest has hung in the programs more than once there; whether that is the emulator's doing is not known.)
run_parts 6.1-programs 6.1 program_checks || status=$?
run_parts 6.12-servers 6.12 server_checks || status=$?
run_parts short 6.12 short_checks || status=$?
cat "$results"
exit "$status"

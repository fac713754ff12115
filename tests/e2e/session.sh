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

status=0
if "$build/farcall" doctor | grep -q "^yes guests on"; then
  echo "end-to-end session on this machine's KVM"
  "$here/in_vm.sh" "$build" "$results" "$out/files" 6.12 6.1 || status=$?
else
  echo "this machine's KVM cannot run a guest kernel: end-to-end session in the nested rig"
  "$here/../../scripts/rig.sh" --timeout 1500 --export "$out" -- "$here/in_vm.sh" "$build" "$results" "$out/files" 6.12 6.1 \
    || status=$?
fi
cat "$results"
exit "$status"

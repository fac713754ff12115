#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The demonstration: boots a VM on this machine's KVM, or in the nested rig where that cannot run a guest kernel, and shows
# one chain of system calls run by host cores.   demo.sh BUILD_DIR
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
build=$(cd -- "${1:-$repo_root/build}" && pwd)

if [[ ${2:-} != inside ]]; then
  if runs_guests "$build"; then
    exec "${BASH_SOURCE[0]}" "$build" inside
  fi
  note "this machine's KVM cannot run a guest kernel, so all of it runs in the nested rig: real, but slow"
  exec "$repo_root/scripts/rig.sh" --timeout 300 -- "$repo_root/scripts/demo.sh" "$build" inside
fi

work=$(mktemp -d)
mount -t tmpfs farcall-demo "$work"
trap 'cd /; umount "$work"; rmdir "$work"' EXIT
mkdir "$work/in"
mkdir -m 777 "$work/out"
seq 1 200000 >"$work/in/one"
seq 200001 400000 >"$work/in/two"
cat >"$work/in/guest.sh" <<'GUEST'
echo "guest: $(uname -r), user $(id -u)"
echo "# cat one two > out, as one chain: the process sleeps once and is woken at the very end"
farcall-demo cat 0:one 0:two 1:out
echo "# the same with both reads at once"
farcall-demo cat --parallel 0:one 0:two 1:out2
echo "# round trips"
farcall-demo latency --nops 100000 --reads 100000 0:one
GUEST
"$build/farcall" run --root packed --stats --timeout 240 --add "$build/farcall-demo:/bin/farcall-demo" \
  --add "$work/in/guest.sh:/guest.sh" --share "$work/in:ro" --share "$work/out:rw" -- /bin/sh /guest.sh
cat "$work/in/one" "$work/in/two" | cmp - "$work/out/out"
cat "$work/in/one" "$work/in/two" | cmp - "$work/out/out2"
echo "host: both outputs are what cat writes"

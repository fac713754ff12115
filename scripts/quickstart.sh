#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# From a fresh clone on a fresh Debian machine to the demonstration, as root: installs what is missing, builds, boots a VM
# whose unprivileged processes run their system calls on host cores, and measures the rings.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

build=$repo_root/build
plan 500
step "packages" 90
"$repo_root/scripts/setup.sh"
step "guest kernels from Debian's packages, and farcall.ko for them" 60
"$repo_root/scripts/prepare-guest.sh" "$build"
step "building farcall (about 250 s on two cores, less the second time)" 250
"$repo_root/scripts/build.sh" "$build" -- farcall farcall-demo farcall-init
step "what this machine can do" 2
"$build/farcall" doctor
step "the demonstration: system calls of guest processes on host cores" 60
"$repo_root/scripts/demo.sh" "$build"
step "the rings at native speed: the bare guest on this machine's own KVM" 15
if [[ -w /dev/kvm ]]; then
  "$build/farcall" bench bare --quick
else
  echo "no usable /dev/kvm here: left out"
fi
note "done in $(elapsed). Next: $build/farcall run --help, or scripts/check.sh for all tests"

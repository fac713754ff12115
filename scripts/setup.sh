#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Installs what building farcall needs on Debian 12, with --tests also the programs that its tests run in guests. Run as
# root; does nothing when all of it is there.
#   setup.sh [--tests]
# Also puts the source of Zydis into the cache.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

packages=(
  # build
  g++ gcc make cmake ninja-build pkg-config ccache clang clang-format clang-tidy libclang-rt-14-dev git
  # libraries
  libcli11-dev libboost-dev libgtest-dev libgmock-dev libbenchmark-dev liburing-dev libseccomp-dev libspdlog-dev
  libfmt-dev nlohmann-json3-dev libexpat1-dev
  # finding system calls in programs (Zydis itself is built in: see fetch-zydis.sh)
  libzycore-dev
  # model checking, ACPI tables
  spin acpica-tools
  # guest kernels, their modules and initramfs images
  cpio busybox-static kmod xz-utils lz4 zstd libelf-dev bc ca-certificates curl
  # bench/weight/report.py
  python3
  # the nested rig (qemu-system-common brings virtiofsd)
  qemu-system-x86 qemu-system-common
)

if [[ ${1:-} == --tests ]]; then
  packages+=(sqlite3 redis-server nginx-light wrk wget fio strace golang-go musl-tools chromium
    e2fsprogs erofs-utils squashfs-tools)
fi

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [[ $status == installed ]] || missing+=("$package")
done

if ((${#missing[@]} == 0)); then
  note "all ${#packages[@]} packages are installed"
  "$repo_root/scripts/fetch-zydis.sh"
  exit 0
fi

need_root
[[ -r /etc/os-release ]] || die "cannot tell which distribution this is: /etc/os-release is missing"
# shellcheck source=/dev/null
distribution=$(. /etc/os-release && echo "${ID:-unknown} ${VERSION_ID:-?}")
[[ $distribution == 'debian 12' ]] || note "made for Debian 12, this is $distribution: trying all the same"

note "installing ${#missing[@]} of ${#packages[@]} packages: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get -q -o DPkg::Lock::Timeout=120 update
# The servers among them are for tests: none is started now.
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi
apt-get -q -y -o DPkg::Lock::Timeout=120 install --no-install-recommends "${missing[@]}"
"$repo_root/scripts/fetch-zydis.sh"
note "done in $(elapsed)"

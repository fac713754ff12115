#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# usage: fetch-peers.sh OUTDIR
#
# What QEMU's guests and its host need beside the kernel of scripts/fetch-kernels.sh, for that very kernel: OUTDIR/*.ko.
# Modules of Debian's package (netfs; vhost-net for the host), and 9p, which the cloud kernels are built without: the ordinary
# kernel's modules have other symbol versions, so it is built from Debian's source package with the cloud kernel's headers.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../../scripts/lib.sh"

(($# == 1)) || die "usage: fetch-peers.sh OUTDIR"
need apt-get dpkg-deb xz tar
kernel=$farcall_cache/kernels/guest-6.12
version=$(cat "$kernel/version")
modules=(netfs tap vhost_iotlb vhost vhost_net)
mkdir -p "$1"
out=$(cd -- "$1" && pwd)
[[ $(cat "$out/version" 2>/dev/null || true) != "$version" ]] || exit 0
work=$(mktemp -d "$out/.work.XXXXXX")
trap 'rm -rf "$work"' EXIT

download() { # PACKAGE[=VERSION]
  note "fetching $1"
  (cd "$work" && apt-get -q download "$1" >apt.log 2>&1) || { tail -n 3 "$work/apt.log" >&2; die "the package $1 cannot be had"; }
}

copy_modules() {
  local name file
  for name in "${modules[@]}"; do
    file=$(find "$work/image" -name "$name.ko.xz" | head -n 1)
    [[ -n $file ]] || die "linux-image-$version has no module $name"
    xz -dc "$file" >"$out/$name.ko"
  done
}

build_9p() { # SOURCE
  cat >"$1/Kbuild" <<'KBUILD'
export CONFIG_NET_9P := m
export CONFIG_NET_9P_VIRTIO := m
export CONFIG_9P_FS := m
obj-m := net/9p/ fs/9p/
KBUILD
  "$repo_root/scripts/build-module.sh" "$kernel" "$work/9p" "$1"
  cp "$work"/9p/*.ko "$out/"
}

download "linux-image-$version"
package=$(dpkg-deb -f "$work"/linux-image-*.deb Version)
dpkg-deb -x "$work"/linux-image-*.deb "$work/image"
copy_modules
download "linux-source-6.12=$package"
dpkg-deb -x "$work"/linux-source-*.deb "$work/source"
mkdir "$work/tree"
tar -xf "$work"/source/usr/src/linux-source-*.tar.xz -C "$work/tree" --strip-components=1 --wildcards '*/fs/9p' '*/net/9p'
build_9p "$work/tree"
echo "$version" >"$out/version"

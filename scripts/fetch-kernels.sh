#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# usage: fetch-kernels.sh [OUTDIR]          (default: ${FARCALL_CACHE:-REPO/.cache}/kernels)
#
# Gets stock Debian cloud kernels, their headers and a few modules, without installing anything:
#   OUTDIR/guest-6.1/   bookworm              OUTDIR/guest-6.12/   bookworm-backports (also the rig's own kernel)
#     bzImage vmlinux config version          version holds one line, as `uname -r` prints it
#     headers/                                for `make -C`
#     modules/*.ko                            decompressed: kvm, overlay, virtio_blk, …
#   OUTDIR/rig-qemu/usr/bin/qemu-system-x86_64   QEMU of bookworm-backports, for the rig: 7.2's TCG can run stale
#                                           translations of code that the kernel patches. Optional: see rig.sh.
# A directory appears under its name only when complete, so an interrupted run leaves nothing half done.
# FARCALL_DEBIAN_MIRROR overrides the mirror that the machine's own apt configuration names.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

# Raise it when the layout changes: directories with another stamp are made again.
layout=2
modules=(irqbypass kvm kvm-amd kvm-intel overlay virtio_blk erofs virtio_net net_failover failover vsock
  vmw_vsock_virtio_transport vmw_vsock_virtio_transport_common nvme nvme-core loop squashfs libcrc32c tun fuse virtiofs)

(($# <= 1)) || die "usage: fetch-kernels.sh [OUTDIR]"
out=${1:-$farcall_cache/kernels}

complete() { [[ $(cat "$out/guest-$1/.stamp" 2>/dev/null || true) == "$layout" ]]; }
qemu_complete() { [[ $(cat "$out/rig-qemu/.stamp" 2>/dev/null || true) == "$layout" ]]; }
all_complete() { complete 6.1 && complete 6.12 && qemu_complete; }

if all_complete; then
  [[ -n ${FARCALL_QUIET:-} ]] || note "kernels $(cat "$out/guest-6.1/version") and $(cat "$out/guest-6.12/version") are there already"
  exit 0
fi
need apt-get apt-cache dpkg-deb xz od flock
mkdir -p "$out"
out=$(cd -- "$out" && pwd)

# One fetch at a time for one OUTDIR; the second then finds the work done.
exec 9>"$out/.lock"
flock 9
if all_complete; then exit 0; fi

# What a killed run left behind: we hold the lock, so nobody uses it.
rm -rf "$out"/.work.*
work=$(mktemp -d "$out/.work.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# The addresses of the machine's own configuration, whichever form it has: apt itself reads it. An empty list directory
# makes it print the index files of every source without touching the network.
release_uris() {
  apt-get -o "Dir::State::lists=$work/none" update --print-uris 2>/dev/null |
    sed -nE "s#^'(.*)/dists/([^/']+)/InRelease'.*#\\1 \\2#p"
}

write_sources() {
  local main security keyring=/usr/share/keyrings/debian-archive-keyring.gpg option='' uris
  uris=$(release_uris || true)
  main=${FARCALL_DEBIAN_MIRROR:-$(awk '$2 ~ /^(bookworm|oldstable|stable)$/ { print $1; exit }' <<<"$uris")}
  security=$(awk '$2 == "bookworm-security" { print $1; exit }' <<<"$uris")
  [[ -n $main ]] || die "apt's configuration names no Debian bookworm archive; set FARCALL_DEBIAN_MIRROR to one"
  if [[ -r $keyring ]]; then option="[arch=amd64 signed-by=$keyring] "; else option='[arch=amd64] '; fi
  {
    echo "deb $option$main bookworm main"
    echo "deb $option$main bookworm-backports main"
    if [[ -n $security ]]; then echo "deb $option$security bookworm-security main"; fi
  } >"$work/sources.list"
}

# A private apt: own sources, lists, cache and status; conf.d is still read, since that is where proxies are set.
write_apt_conf() {
  mkdir -p "$work/none/partial" "$work/state/lists/partial" "$work/cache/archives/partial"
  : >"$work/state/status"
  cat >"$work/apt.conf" <<CONF
Dir::Etc::sourcelist "$work/sources.list";
Dir::Etc::sourceparts "-";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "-";
Dir::State "$work/state";
Dir::State::lists "$work/state/lists";
Dir::State::status "$work/state/status";
Dir::Cache "$work/cache";
Dir::Cache::archives "$work/cache/archives";
APT::Architecture "amd64";
APT::Architectures { "amd64"; };
APT::Sandbox::User "root";
Acquire::Retries "3";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
CONF
}

# newest PATTERN: the newest kernel release that has image and both header packages.
newest() {
  local release
  while read -r release; do
    if grep -qx "linux-headers-$release-cloud-amd64" "$work/names" &&
      grep -qx "linux-headers-$release-common" "$work/names"; then
      echo "$release"
      return
    fi
  done < <(sed -nE "s/^linux-image-($1)-cloud-amd64\$/\\1/p" "$work/names" | sort -rV)
  return 1
}

# extract_vmlinux BZIMAGE OUT: the setup header says where the compressed kernel lies and how long it is (boot protocol
# 2.08 and later); the last 4 bytes are its unpacked size, which the decompressors would take for garbage.
extract_vmlinux() {
  local sects offset length magic tool
  sects=$(od -An -tu1 -j $((0x1f1)) -N 1 "$1" | tr -d ' ')
  offset=$(od -An -tu4 -j $((0x248)) -N 4 "$1" | tr -d ' ')
  length=$(od -An -tu4 -j $((0x24c)) -N 4 "$1" | tr -d ' ')
  offset=$((offset + (sects + 1) * 512))
  magic=$(od -An -tx1 -j "$offset" -N 4 "$1" | tr -d ' ')
  case $magic in
    fd377a58) tool=(xz -dc --single-stream) ;;
    02214c18) tool=(lz4 -dc) ;;
    28b52ffd) tool=(zstd -dc) ;;
    1f8b*) tool=(gzip -dc) ;;
    *) die "kernel $1 is compressed in a way that this script does not know (magic $magic)" ;;
  esac
  need "${tool[0]}"
  dd if="$1" bs=1M iflag=skip_bytes,count_bytes skip="$offset" count=$((length - 4)) status=none | "${tool[@]}" >"$2"
  [[ $(head -c 4 "$2" | od -An -tx1 | tr -d ' ') == 7f454c46 ]] || die "no ELF kernel found in $1"
}

copy_modules() {
  local tree=$1 to=$2 name file
  mkdir -p "$to"
  for name in "${modules[@]}"; do
    # Absent ones are built into this kernel, or not part of it.
    file=$(find "$tree" -name "$name.ko" -o -name "$name.ko.xz" | head -n 1)
    case $file in
      '') ;;
      *.xz) xz -dc "$file" >"$to/$name.ko" ;;
      *) cp "$file" "$to/$name.ko" ;;
    esac
  done
}

# The packages expect /usr/src; a path relative to the Makefile itself makes the tree work wherever it is.
relocate_headers() {
  local root=$1 release=$2 version=$3 build
  build=$root/usr/src/linux-headers-$version
  # shellcheck disable=SC2016 # make expands it
  printf 'include $(dir $(realpath $(lastword $(MAKEFILE_LIST))))../linux-headers-%s-common/Makefile\n' "$release" \
    >"$build/Makefile"
  if grep -rIl --include='Makefile*' --include=.kernelvariables '/usr/src/' "$build" >/dev/null; then
    die "the headers of $version name /usr/src in a way that this script does not know"
  fi
}

fetch() {
  local series=$1 release=$2 kbuild=$3 dir root version
  version=$release-cloud-amd64
  dir=$work/guest-$series
  root=$dir/root
  mkdir -p "$root" "$work/debs-$series"
  note "fetching $version (45 MB)"
  (cd "$work/debs-$series" && apt-get -q -c "$work/apt.conf" download \
    "linux-image-$version" "linux-headers-$version" "linux-headers-$release-common" "$kbuild" >"$work/apt.log" 2>&1) ||
    { cat "$work/apt.log" >&2; die "cannot download kernel $version"; }
  local deb
  for deb in "$work/debs-$series"/*.deb; do dpkg-deb -x "$deb" "$root"; done
  mv "$root/boot/vmlinuz-$version" "$dir/bzImage"
  mv "$root/boot/config-$version" "$dir/config"
  extract_vmlinux "$dir/bzImage" "$dir/vmlinux"
  copy_modules "$root/lib/modules" "$dir/modules"
  relocate_headers "$root" "$release" "$version"
  rm -rf "${root:?}/lib" "${root:?}/boot" "${root:?}/usr/share"
  ln -s "root/usr/src/linux-headers-$version" "$dir/headers"
  echo "$version" >"$dir/version"
  echo "$layout" >"$dir/.stamp"
  rm -rf "$out/guest-$series"
  mv "$dir" "$out/guest-$series"
  note "guest-$series is $version"
}

# QEMU is unpacked, not installed, so the libraries of the installed 7.2 have to serve it; the stamp is set even when
# they do not (or the suite has none), and the rig then takes the installed one.
fetch_qemu() {
  local dir=$work/rig-qemu deb
  mkdir -p "$dir" "$work/debs-qemu"
  note "fetching the rig's QEMU (13 MB)"
  if (cd "$work/debs-qemu" && apt-get -q -c "$work/apt.conf" -t bookworm-backports download \
    qemu-system-x86 qemu-system-common qemu-system-data seabios >"$work/apt.log" 2>&1); then
    for deb in "$work/debs-qemu"/*.deb; do dpkg-deb -x "$deb" "$dir"; done
    rm -rf "${dir:?}/etc" "${dir:?}/usr/share/doc" "${dir:?}/usr/share/man"
  fi
  if ! "$dir/usr/bin/qemu-system-x86_64" --version >"$dir/version" 2>&1; then
    note "the newer QEMU does not run here ($(head -n 1 "$dir/version")); the rig will use the installed one"
    rm -rf "${dir:?}/usr"
  fi
  echo "$layout" >"$dir/.stamp"
  rm -rf "$out/rig-qemu"
  mv "$dir" "$out/rig-qemu"
}

write_apt_conf
write_sources
note "reading the package lists of bookworm and bookworm-backports"
apt-get -q -c "$work/apt.conf" update >"$work/apt.log" 2>&1 ||
  { cat "$work/apt.log" >&2; die "cannot read the package lists"; }
apt-cache -c "$work/apt.conf" pkgnames linux- >"$work/names"

if ! complete 6.1; then
  release=$(newest '6\.1\.0-[0-9]+') || die "the archive has no 6.1 cloud kernel with headers"
  fetch 6.1 "$release" linux-kbuild-6.1
fi
if ! complete 6.12; then
  release=$(newest '6\.12\.[^-]*') || die "the archive has no 6.12 cloud kernel with headers"
  fetch 6.12 "$release" "linux-kbuild-$release"
fi
if ! qemu_complete; then fetch_qemu; fi
note "done in $(elapsed): $out"

#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# usage: fetch-zydis.sh [OUTDIR]            (default: ${FARCALL_CACHE:-REPO/.cache}/zydis)
#
# Gets the source of the disassembler library Zydis, Debian's own package and checked against its sum, without installing
# anything: libzydis-dev has only the shared library, and libfarcall-preload.so must hold its own copy, which the programs
# that it is loaded into cannot see. Its headers' other half, Zycore, comes from libzycore-dev.
# The directory appears under its name only when complete. FARCALL_DEBIAN_MIRROR overrides the mirror that the machine's own
# apt configuration names.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

version=4.0.0
sum=e990107f80c62afc1deb51de230023a1098db801b8ea6bf483e296d45459e234

(($# <= 1)) || die "usage: fetch-zydis.sh [OUTDIR]"
out=${1:-$farcall_cache/zydis}
if [[ $(cat "$out/.stamp" 2>/dev/null || true) == "$version" ]]; then exit 0; fi
need apt-get sha256sum tar

mkdir -p "$(dirname -- "$out")"
work=$(mktemp -d "$out.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# The archive that holds bookworm, as apt itself reads its configuration; see fetch-kernels.sh.
mirror=${FARCALL_DEBIAN_MIRROR:-$(apt-get -o "Dir::State::lists=$work/none" update --print-uris 2>/dev/null |
  sed -nE "s#^'(.*)/dists/(bookworm|oldstable|stable)/InRelease'.*#\\1#p" | head -n 1)}
[[ -n $mirror ]] || die "apt's configuration names no Debian bookworm archive; set FARCALL_DEBIAN_MIRROR to one"

tarball=zydis_$version.orig.tar.gz
note "getting $tarball from $mirror"
(cd "$work" && /usr/lib/apt/apt-helper download-file "$mirror/pool/main/z/zydis/$tarball" "$tarball" "SHA256:$sum" >&2) ||
  die "cannot get $tarball"
mkdir "$work/tree"
tar -xzf "$work/$tarball" -C "$work/tree" --strip-components=1
echo "$version" >"$work/tree/.stamp"
rm -rf "$out"
mv "$work/tree" "$out"
note "Zydis $version is in $out"

#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# usage: build-module.sh KERNELDIR OUTDIR [SOURCEDIR]
#
# Builds guest-kmod/ out of tree for one kernel of fetch-kernels.sh (KERNELDIR/headers, or a header directory itself).
# The sources are copied to OUTDIR/build first, so that the checkout stays clean and two kernels can be built at once;
# the modules end up as OUTDIR/*.ko. Any warning is a failure. The Kbuild file gets the make variable
# FARCALL_SHARED, the absolute path of shared/include.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

(($# == 2 || $# == 3)) || die "usage: build-module.sh KERNELDIR OUTDIR [SOURCEDIR]"
kernel=$1
source_dir=${3:-$repo_root/guest-kmod}
need make
if [[ -d $kernel/headers ]]; then kernel=$kernel/headers; fi
[[ -f $kernel/Module.symvers ]] || die "no kernel headers in '$1'; run scripts/fetch-kernels.sh first"
[[ -f $source_dir/Kbuild || -f $source_dir/Makefile ]] || die "no Kbuild file in '$source_dir'"
kernel=$(cd -- "$kernel" && pwd)
mkdir -p "$2"
out=$(cd -- "$2" && pwd)

# The kernels were built with gcc 12; another major version would trip over their recorded compiler flags.
compiler=gcc-12
command -v "$compiler" >/dev/null || compiler=gcc

# A file is copied only when it differs, so that make rebuilds only what changed; files gone from the sources go too.
sync_sources() {
  local from=$1 to=$2 file
  mkdir -p "$to"
  (cd "$from" && find . -type f \( -name '*.[chS]' -o -name 'Kbuild*' -o -name 'Makefile*' \) | LC_ALL=C sort) >"$out/files"
  while read -r file; do
    cmp -s "$from/$file" "$to/$file" || install -D -m 644 "$from/$file" "$to/$file"
  done <"$out/files"
  (cd "$to" && find . -type f -name '*.[chS]' ! -name '*.mod.c' | LC_ALL=C sort) |
    LC_ALL=C comm -13 "$out/files" - | while read -r file; do rm -f "$to/$file"; done
}

exec 9>"$out/.lock"
flock 9
sync_sources "$source_dir" "$out/build"
log=$out/build.log
# CONFIG_DEBUG_INFO_BTF_MODULES: 6.12 would want pahole and vmlinux, and would delete the module without them.
if ! make -C "$kernel" M="$out/build" CC="$compiler" CONFIG_DEBUG_INFO_BTF_MODULES= \
  FARCALL_SHARED="$repo_root/shared/include" modules >"$log" 2>&1; then
  cat "$log" >&2
  die "the module does not build for $(basename -- "$(readlink -f "$kernel")")"
fi
# A point release of gcc other than the kernel's is harmless; everything else that warns is not.
if grep -v 'warning: the compiler differs from the one used to build the kernel' "$log" | grep -i 'warning' >&2; then
  # Otherwise the next run would find nothing to do and pass.
  find "$out/build" -name '*.o' -delete
  die "the module builds with warnings (the whole log: $log)"
fi
found=0
while read -r module; do
  cp "$module" "$out/"
  note "built $out/$(basename -- "$module")"
  found=1
done < <(find "$out/build" -name '*.ko')
((found)) || die "the build made no .ko file (the whole log: $log)"

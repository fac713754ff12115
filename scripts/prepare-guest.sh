#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Puts what `farcall run` boots beside the executable: BUILD/guest/{6.1,6.12}/{bzImage,vmlinux,farcall.ko}, and in modules/ of
# each those of the kernel's own that disk images need. Kernels are Debian's own, from its packages; the module is built
# against their headers. Idempotent.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

build_dir=${1:?usage: prepare-guest.sh BUILD_DIR}
"$repo_root/scripts/fetch-kernels.sh" "$farcall_cache/kernels"
for release in 6.1 6.12; do
  kernel=$farcall_cache/kernels/guest-$release
  out=$build_dir/guest/$release
  mkdir -p "$out/modules"
  "$repo_root/scripts/build-module.sh" "$kernel" "$out"
  # See image_modules() in vmm/disk_image.cc.
  for file in bzImage vmlinux modules/{loop,squashfs,libcrc32c,erofs}.ko; do
    # Hard links where possible: the images are large, and the guest directory must not depend on the cache's path.
    [[ $out/$file -ef $kernel/$file ]] || ln -f "$kernel/$file" "$out/$file" 2>/dev/null || cp "$kernel/$file" "$out/$file"
  done
done

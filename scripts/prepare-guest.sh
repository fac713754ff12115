#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Puts what `farcall run` boots beside the executable: BUILD/guest/{6.1,6.12}/{bzImage,vmlinux,farcall.ko}. Kernels are
# Debian's own, from its packages; the module is built against their headers. Idempotent.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

build_dir=${1:?usage: prepare-guest.sh BUILD_DIR}
"$repo_root/scripts/fetch-kernels.sh" "$farcall_cache/kernels"
for release in 6.1 6.12; do
  kernel=$farcall_cache/kernels/guest-$release
  out=$build_dir/guest/$release
  mkdir -p "$out"
  "$repo_root/scripts/build-module.sh" "$kernel" "$out"
  for image in bzImage vmlinux; do
    # Hard links where possible: the images are large, and the guest directory must not depend on the cache's path.
    [[ $out/$image -ef $kernel/$image ]] || ln -f "$kernel/$image" "$out/$image" 2>/dev/null || cp "$kernel/$image" "$out/$image"
  done
done

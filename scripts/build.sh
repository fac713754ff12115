#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Configures and builds one build directory.   build.sh BUILD_DIR [cmake options…] [-- targets…]
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

build_dir=$1
shift
options=() targets=()
while (($# > 0)); do
  if [[ $1 == -- ]]; then
    shift
    targets=("$@")
    break
  fi
  options+=("$1")
  shift
done
need cmake ninja
cmake -S "$repo_root" -B "$build_dir" -G Ninja -DCMAKE_CXX_COMPILER_LAUNCHER=ccache -DCMAKE_C_COMPILER_LAUNCHER=ccache \
  "${options[@]}" >"$build_dir.log" 2>&1 || { cat "$build_dir.log" >&2; die "cmake failed for $build_dir"; }
ninja -C "$build_dir" "${targets[@]}" >"$build_dir.log" 2>&1 || {
  grep -E -A12 'error:|FAILED' "$build_dir.log" | head -n 80 >&2
  die "the build failed; all of it is in $build_dir.log"
}
! grep -n 'warning:' "$build_dir.log" >&2 || die "the build has warnings"

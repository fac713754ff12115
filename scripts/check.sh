#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# All tests, as root, from a fresh clone on a fresh Debian machine: sets up what is missing, builds, checks format, runs the
# unit tests plain and under sanitizers, the model checker, the benchmark's floors and the end-to-end session in VMs.
# Closes with the count.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"

build=$repo_root/build
# With the shortest history one report in a dozen runs of a random test had lost a stack, and no suppression matched it.
export TSAN_OPTIONS=suppressions=$repo_root/tests/tsan.supp:history_size=7
passed=0 failed=0 skipped=0

# run_tests NAME BUILD_DIR [ctest options…]: adds to the count; what failed or was skipped is printed with its output.
run_tests() {
  local name=$1 dir=$2 report=$2/junit.xml
  shift 2
  (cd "$dir" && ctest --output-on-failure --output-junit "$report" "$@") >"$dir/ctest.log" 2>&1 || true
  grep -E '\*\*\*|^[0-9]+% tests' "$dir/ctest.log" || true
  grep -E 'SKIPPED|NOT TESTED|RETRY' "$dir/Testing/Temporary/LastTest.log" || true
  local all bad skip
  all=$(sed -n 's/.*[[:space:]]tests="\([0-9]*\)".*/\1/p' "$report" | head -n 1)
  bad=$(sed -n 's/.*[[:space:]]failures="\([0-9]*\)".*/\1/p' "$report" | head -n 1)
  skip=$(sed -n 's/.*[[:space:]]skipped="\([0-9]*\)".*/\1/p' "$report" | head -n 1)
  passed=$((passed + all - bad - skip)) failed=$((failed + bad)) skipped=$((skipped + skip))
  # What failed, without the hundreds that passed around it: whoever reads this may only see its first page.
  if ((bad > 0)); then grep -avE '^ *Start +[0-9]+: |^ *[0-9]+/[0-9]+ Test .* Passed ' "$dir/ctest.log" | head -n 400; fi
  note "$name: $((all - bad - skip)) passed, $bad failed, $skip skipped"
}

# verdict NAME COMMAND…: one check of the tree counts as one test.
verdict() {
  local name=$1
  shift
  if "$@"; then passed=$((passed + 1)); note "$name: passed"; else failed=$((failed + 1)); note "$name: FAILED"; fi
}

formatted() {
  git -C "$repo_root" ls-files '*.cc' '*.hpp' '*.h' ':!guest-kmod' ':!shared' ':!guest-lib/include/farcall/*.h' ':!bench/payload' ':!scripts' | (cd "$repo_root" && xargs clang-format --dry-run -Werror)
}

# The analyzer's shallow mode: its deep one takes twice as long for all checks together, and is for a look by hand.
tidy() {
  local argument shallow=()
  for argument in -Xclang -analyzer-config -Xclang mode=shallow; do shallow+=("-extra-arg=$argument"); done
  (cd "$repo_root" && run-clang-tidy -quiet -p "$build" -j "$(nproc)" "${shallow[@]}" '/(host-lib|guest-lib|vmm|bench)/[^/]*(/[^/]*)?\.cc$') \
    >"$build/tidy.log" 2>&1 && return
  grep -E -A4 '(warning|error):' "$build/tidy.log" | head -n 80
  return 1
}

plan 1300
step "packages" 90
"$repo_root/scripts/setup.sh" --tests
step "guest kernels from Debian's packages, and farcall.ko for them" 60
"$repo_root/scripts/prepare-guest.sh" "$build"
step "building everything" 330
"$repo_root/scripts/build.sh" "$build"
step "format" 10
verdict clang-format formatted
step "unit tests, model, benchmark floors, end-to-end session in VMs" 330
run_tests tests "$build"
step "clang-tidy" 240
verdict clang-tidy tidy
# sanitized SANITIZERS TARGET…, cmake options in the array `options`: the engine and the local transport, and all their tests.
sanitized() {
  local sanitizer=$1 dir=$repo_root/build-${1%%,*}
  shift
  step "the engine and the local transport under sanitizers: $sanitizer" 200
  "$repo_root/scripts/build.sh" "$dir" -DFARCALL_SANITIZE="$sanitizer" -DCMAKE_BUILD_TYPE=Debug -DFARCALL_BUILD_BENCH=OFF \
    -DFARCALL_TEST_PCH=ON \
    "${options[@]}" -- "$@"
  run_tests "$sanitizer" "$dir" -L engine
}
# With clang, which also builds the fuzz target on the same objects.
options=(-DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ -DFARCALL_FUZZ=ON)
sanitized address,undefined engine_tests fuzz_targets
options=()
sanitized thread engine_tests

echo "$passed passed, $failed failed, $skipped skipped"
((failed == 0))

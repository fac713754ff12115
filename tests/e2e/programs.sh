#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2154
# Programs as Debian ships them, in a guest whose /mnt is a share, and on the host: the same output, status and files.
# Sourced by in_vm.sh, whose functions and variables it uses.

program_seed=$RANDOM # both sides use it, and print it
cases=$(cd -- "$here/../programs" && pwd)

programs_of() { # DIRECTORY: what one side begins with
  local script
  mkdir -p "$1"/{in,results,programs}
  cp -r "$cases" "$1/cases"
  mkdir "$1/in/tree"
  (cd "$here/../.." && cp -r README.md host-lib shared docs tests/e2e "$work/$1/in/tree/")
  cp in/a "$1/in/big"
  echo "${FARCALL_TEST_SEED:-$program_seed}" >"$1/in/seed"
  cp "$build"/programs/{static-go,static-musl,fsx,fs_diff} "$1/programs/"
  for script in "$cases"/*.sh; do mkdir "$1/$(basename "$script" .sh)"; done
  find "$1" -exec touch -h -d @1000000000 {} +
}

# The same user, the same paths.
programs_on_host() {
  chown -R 1000:1000 host
  # shellcheck disable=SC2016
  unshare -m bash -c 'mount --bind host /mnt && cd / && exec setpriv --reuid 1000 --regid 1000 --clear-groups /mnt/cases/all'
}

# Those that have not ended yet, from their beginning.
programs_left() {
  local script name
  for script in "$cases"/*.sh; do
    name=$(basename "$script" .sh)
    [[ ! -e guest/results/$name.status ]] || continue
    rm -rf "guest/$name"
    mkdir "guest/$name"
    echo "$name"
  done
}

# A guest that the emulator loses is followed by another one, which goes on with what had not ended. It has lost six in a row; what
# bounds this is the time. All cases take three minutes on a quiet machine of ours, and were seen to take more than twice that on
# another, so no limit here is near: a guest that hangs is found by its beat.
programs_in_guest() {
  local attempt=0 status pid begin=$SECONDS
  rm -rf guest
  programs_of guest
  while ((SECONDS - begin < 900)); do
    attempt=$((attempt + 1))
    : >guest/results/beat
    # shellcheck disable=SC2046
    vm_here --root host --memory 1G --kernel-log programs.klog --share "$work/guest:/mnt:rw" -- /mnt/cases/all $(programs_left) >log 2>&1 &
    pid=$!
    watchdog "$pid" "$work/guest/results/beat" 90 &
    ended "$pid"
    status=$?
    cat log
    lost_by_emulator "$status" || return "$status"
    echo "RETRY $release programs: the guest was lost (attempt $attempt), in what comes next above"
  done
  return "$status"
}

# Names, types, permissions, links, sizes of files, contents. Mappings leave no trace in directories' sizes, times do.
files_of() { # DIRECTORY
  (cd "$1" && find . \( -type d -printf '%p %y %m\n' -o -printf '%p %y %m %n %s %l\n' \) | sort \
    && find . -type f -print0 | sort -z | xargs -0 sha256sum)
}

same_run() { # NAME
  diff "host/results/$1.status" "guest/results/$1.status" && diff -a "host/results/$1.out" "guest/results/$1.out" \
    && diff -a "host/results/$1.err" "guest/results/$1.err" && diff <(files_of "host/$1") <(files_of "guest/$1")
}

program_checks() {
  local script name
  [[ -d host ]] || { programs_of host; programs_on_host; }
  verdict "$release-programs" programs_in_guest
  for script in "$cases"/*.sh; do
    name=$(basename "$script" .sh)
    echo "--- $name, host and guest"
    verdict "$release-program-$name" same_run "$name"
  done
  verdict "$release-programs-kernel-log" kernel_log_is_clean programs.klog
}

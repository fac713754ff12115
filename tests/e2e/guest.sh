#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs inside the guest, as an unprivileged user. Prints "pass NAME" or "fail NAME" lines between what the programs print.
# Share 0: input (a, b: files; many: the list of files; escape: a symlink out of the share). Share 1: output.
demo=/bin/farcall-demo

check() {
  name=$1
  shift
  echo "--- $name: $*"
  if "$@"; then echo "pass $name"; else echo "fail $name (status $?)"; fi
}

unprivileged() { [ "$(id -u)" -ne 0 ] && [ -c /dev/farcall ]; }

# Clients that are killed in the middle of what they do leave the next one alone.
killed() {
  i=0
  while [ $i -lt 10 ]; do
    $demo latency --nops 5000000 --reads 1 0:a >/dev/null 2>&1 &
    pid=$!
    usleep $((i * 30000))
    kill -9 $pid
    wait $pid 2>/dev/null
    i=$((i + 1))
  done
  $demo cat 0:a 0:b 1:after-kill
}

# A hostile process beside one that works.
beside() {
  $demo latency --nops 20000 --reads 2000 0:a >/tmp/beside 2>&1 &
  pid=$!
  $demo abuse all --symlink 0:escape || return 1
  wait $pid || { cat /tmp/beside; return 1; }
}

check unprivileged unprivileged
check cat $demo cat 0:a 0:b 1:cat
check parallel $demo cat --parallel 0:a 0:b 1:parallel
check thousand $demo catmany 0:many 1:thousand
check latency $demo latency --nops 100000 --reads 100000 0:a
check abuse beside
check killed killed

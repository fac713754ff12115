#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs inside the guest, as an unprivileged user. Prints "pass NAME" or "fail NAME" lines between what the programs print.
# Share 0: input (a, b: files; many: the list of files; escape: a symlink out of the share). Share 1: output.
# WORKERS: how many the host has. PORTS: the first of those on the host's loopback that in_vm.sh says what is behind.
demo=/bin/farcall-demo
kv=/bin/farcall-kv

check() {
  name=$1
  shift
  echo "--- $name: $*"
  if "$@"; then echo "pass $name"; else echo "fail $name (status $?)"; fi
}

# The host does something and answers on stdin: "good", or what was wrong.
ask() {
  echo "ask $*"
  read -r answer
  [ "$answer" = good ] || { echo "the host: ${answer:-no answer}"; return 1; }
}

# Until the program that writes to FILE has said WORD.
said() { # WORD FILE
  i=0
  while ! grep -q "$1" "$2"; do
    i=$((i + 1))
    [ $i -lt 200 ] || { cat "$2"; return 1; }
    usleep 100000
  done
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

# Pages of processes that the module keeps for the host now.
pinned() { awk '/^nr_foll_pin_acquired/ { n += $2 } /^nr_foll_pin_released/ { n -= $2 } END { print n }' /proc/vmstat; }

# Too long to print.
list_many() {
  $demo list --buffer 4096 0:many.d >/tmp/many || return 1
  grep getdents: /tmp/many
  echo "digest $(grep ^entry /tmp/many | sort | sha256sum)"
}

# Whom this guest may talk to, and whom not.
calls() {
  $demo call "tcp:127.0.0.1:$PORTS" && $demo call "tcp:[::1]:$PORTS" && $demo call udp:127.0.0.1:$((PORTS + 1)) &&
    $demo call unix:0:host.sock && $demo call --refused tcp:127.0.0.1:$((PORTS + 3)) &&
    $demo call --refused tcp:192.0.2.1:80 && $demo call --refused "udp:127.0.0.1:$PORTS"
}

# A server here that the host calls: port 8080 (8081 for datagrams) is the published one's name in this guest.
served() { # PEER-HERE PEER-OF-THE-HOST COUNT BYTES
  : >/tmp/serve
  $demo serve --count "$3" "$1" >/tmp/serve 2>&1 &
  pid=$!
  said serving /tmp/serve && ask call "$2" "$3" "$4"
  good=$?
  [ $good -eq 0 ] && wait $pid && return
  cat /tmp/serve
  kill $pid
  return 1
}

# Sockets of the guest's kernel that reach the host, beside plain ones; and nothing of them stays there.
misused() {
  $demo twins --misuse "$PORTS" && ask idle
}

# Handlers interrupt a main program that does nothing but compute.
events_timer() {
  /bin/farcall-aem-timer 20 10 >/tmp/ticks || return 1
  tail -n 1 /tmp/ticks
  tail -n 1 /tmp/ticks | grep -q 'periods of 20 ms, with work between them'
}

# A server in three handlers, called by the host; it never ends by itself.
events_echo() {
  : >/tmp/echo
  /bin/farcall-aem-echo 8080 >/tmp/echo 2>&1 &
  pid=$!
  said ready /tmp/echo && ask call tcp:$((PORTS + 4)) 10 100000
  good=$?
  [ $good -eq 0 ] || cat /tmp/echo
  kill $pid
  wait $pid 2>/dev/null
  return $good
}

kv_server() { # OPTION…
  : >/tmp/kv
  $kv serve "$@" >/tmp/kv 2>&1 &
  server=$!
  said serving /tmp/kv
}

kv() {
  kv_server && $kv put key value && [ "$($kv get key)" = value ] && $kv copy 0:small other 1:kv && $kv delete key || return 1
  ! $kv get key 2>/tmp/missing && grep -q ENOENT /tmp/missing || return 1
  kill -9 $server
  wait $server 2>/dev/null
  ! $kv get other 2>/tmp/missing && grep -q ENOENT /tmp/missing || return 1 # the name is free again
  kv_server --sessions 1 || return 1
  $demo calls --op 2 farcall-kv >/tmp/calls 2>&1 &
  pid=$!
  said answered /tmp/calls || return 1
  ! $kv get key 2>/tmp/refused && grep -q EACCES /tmp/refused || return 1 # no consent to a second one
  kill -STOP $server # so that calls are under way
  usleep 500000
  kill -9 $server
  wait $server 2>/dev/null
  wait $pid
  good=$?
  cat /tmp/calls
  return $good
}

# Chains that go on when their process has exited, has closed its client, or was killed.
detached() {
  $demo detach 1:detached-exit && $demo detach --close 1:detached-close || return 1
  : >/tmp/stay
  $demo detach --stay 1:detached-kill >/tmp/stay 2>&1 &
  pid=$!
  said posted /tmp/stay
  kill -9 $pid
  wait $pid 2>/dev/null
  # A server with an accept that waits, and a pool.
  : >/tmp/serve
  $demo serve tcp:0.0.0.0:8080 >/tmp/serve 2>&1 &
  pid=$!
  said serving /tmp/serve
  kill -9 $pid
  wait $pid 2>/dev/null
  ask idle || return 1
  i=0
  while [ "$(pinned)" -ne 0 ]; do # the kernel adds up what its CPUs counted once a second
    i=$((i + 1))
    [ $i -lt 20 ] || { echo "pages stay pinned: $(pinned)"; return 1; }
    usleep 500000
  done
}

# Far more than the host lets go on: they do not keep what other processes had. Some are still there when the guest ends.
left_behind() {
  i=0
  while [ $i -lt 40 ]; do
    $demo detach --after 3600000 1:never >/dev/null || return 1
    i=$((i + 1))
  done
  ask few
}

# shellcheck source=tests/e2e/fs_guest.sh
. /fs_guest.sh
fs_checks
# From the first use on, the guest's kernel is a client of the host too.
check twins-first $demo twins --case not-connected "$PORTS"
check baseline ask baseline
check unprivileged unprivileged
check cat $demo cat 0:a 0:b 1:cat
check parallel $demo cat --parallel 0:a 0:b 1:parallel
check thousand $demo catmany 0:many 1:thousand
check latency $demo latency --nops 100000 --reads 100000 0:a
check abuse beside
check killed killed
check files $demo files 0:a 1:tree
check list-tree $demo list 1:tree
check list-names $demo list 0:names
check list-many list_many
check sockets calls
check sendfile $demo sendfile 0:a tcp:127.0.0.1:$((PORTS + 2))
check served-tcp served tcp:0.0.0.0:8080 tcp:$((PORTS + 4)) 10 100000
check served-udp served udp:0.0.0.0:8081 udp:$((PORTS + 5)) 20 1000
check served-unix served unix:1:guest.sock unix:out/guest.sock 10 100000
check twins $demo twins "$PORTS"
check misused misused
check timers $demo timers
check kv kv
check events-timer events_timer
check events-echo events_echo
check neighbours $demo neighbours --workers "$WORKERS" 1:neighbours
check detached detached
check left-behind left_behind

#!/bin/sh
# SPDX-License-Identifier: MIT
# The guest's first process, so that it may load and unload the module: checks of event-priority weighting that need root.
# What is weighted runs as an unprivileged user. Prints "pass NAME" or "fail NAME" lines, and turns the guest off.
export PATH=/bin
mount -t devtmpfs none /dev
mount -t proc none /proc
mount -t sysfs none /sys
mount -t debugfs none /sys/kernel/debug
mount -t tracefs none /sys/kernel/tracing
mkdir -p /etc
echo user:x:1000:1000::/:/bin/sh >/etc/passwd
parameters=/sys/module/farcall/parameters
view=/sys/kernel/debug/farcall/weights
trace=/sys/kernel/tracing

check() {
  name=$1
  shift
  echo "--- $name: $*"
  if "$@"; then echo "pass $name"; else echo "fail $name (status $?)"; fi
}

# Plain words only.
user() { su -s /bin/sh -c "exec farcall-demo $*" user; }

# A thread's line in the view says all of: WORD VALUE…, for the N-th kind of thread that has them; how many there are.
threads() {
  awk -v words="$*" '/^ thread/ {
      n = split(words, want, " "); good = 1
      for (i = 1; i < n; i += 2) {
        found = 0
        for (f = 1; f < NF; f++) if ($f == want[i] && $(f + 1) == want[i + 1]) found = 1
        good = good && found
      }
      count += good
    } END { print count + 0 }' $view
}

# Within some seconds: as many threads as said have that in the view.
within() { # COUNT WORD VALUE…
  count=$1
  shift
  i=0
  while [ "$(threads "$@")" -ne "$count" ]; do
    i=$((i + 1))
    [ $i -lt 100 ] || { echo "not $count with: $*"; cat $view; return 1; }
    usleep 50000
  done
}

# Busy, with events of these priorities that nobody consumes, until end_busy.
busy() { # PRIORITIES
  # Not through user(): the shell's child is to be the program itself.
  su -s /bin/sh -c "exec farcall-demo shares --priorities $1 --milliseconds 600000" user >/tmp/busy 2>&1 &
  pid=$!
}
end_busy() {
  kill -9 $pid
  wait $pid 2>/dev/null
  i=0
  while grep -q '^ thread.*farcall-demo' $view && [ $i -lt 100 ]; do
    i=$((i + 1))
    usleep 50000
  done
}

loaded_with_none() {
  insmod /farcall/farcall.ko policy=none && [ "$(cat $parameters/policy)" = none ] && user shares --milliseconds 300 --expect none
}

ordered() {
  echo weighted >$parameters/policy
  : >$trace/trace
  echo 1 >$trace/events/farcall/enable
  user shares --milliseconds 1000 --expect weighted
  good=$?
  echo 0 >$trace/events/farcall/enable
  return $good
}

traced() {
  grep farcall_weight: $trace/trace | tail -n 2
  [ "$(grep -c 'farcall_weight: .*srt_priority=64 .*nice=-5' $trace/trace)" -gt 0 ] || return 1
  # Everybody's last change is back to what it was.
  [ -z "$(sed -n 's/.*farcall_weight: pid=\([0-9]*\) .* nice=\([-0-9]*\) .*/\1 \2/p' $trace/trace \
    | awk '{ last[$1] = $2 } END { for (pid in last) if (last[pid] != 0) print pid, last[pid] }' | tee /dev/stderr)" ]
}

# The cap holds for everybody, and so does the limit of a user's threads.
limited() {
  busy 255,255,255
  good=0
  within 3 own_nice 0 nice -10 || good=1
  echo 3 >$parameters/max_boost
  within 3 own_nice 0 nice -3 || good=1
  end_busy
  echo 10 >$parameters/max_boost
  echo 2 >$parameters/max_weighted
  busy 255,255,255
  within 2 nice -10 || good=1
  # The third may still be starting.
  i=0
  while ! grep -q 'refused [1-9]' $view && [ $i -lt 100 ]; do
    i=$((i + 1))
    usleep 50000
  done
  [ "$(grep -c 'refused [1-9]' $view)" -eq 1 ] || { cat $view; good=1; }
  end_busy
  echo 32 >$parameters/max_weighted
  return $good
}

# Switched off at run time: when the write returns, nobody has anything but what was his.
switched() {
  busy 64,128,255
  good=0
  within 1 nice -10 || good=1
  echo none >$parameters/policy
  [ "$(threads nice 0 slice_us 0)" -eq "$(grep -c '^ thread' $view)" ] || { cat $view; good=1; }
  echo weighted >$parameters/policy
  within 1 nice -10 || good=1
  ! echo nonsense >$parameters/policy 2>/dev/null || good=1
  [ "$(cat $parameters/policy)" = weighted ] || good=1
  end_busy
  return $good
}

root_only() { ! su -s /bin/sh -c "cat $view || echo weighted >$parameters/policy" user 2>/dev/null; }

# Real-time while it has credit; root can switch it off, or forbid it, under a sleeper.
urgent() {
  echo urgent >$parameters/policy
  user urgent
  good=$?
  su -s /bin/sh -c "exec farcall-demo urgent --sleep" user &
  pid=$!
  within 1 rank 10 || good=1
  echo none >$parameters/policy
  [ "$(threads rank 10)" -eq 0 ] || { cat $view; good=1; }
  echo urgent >$parameters/policy
  within 1 rank 10 || good=1
  echo 0 >$parameters/max_urgent
  echo weighted >$parameters/policy
  echo urgent >$parameters/policy
  within 1 nice -10 || good=1
  [ "$(threads rank 10)" -eq 0 ] || { cat $view; good=1; }
  end_busy
  echo 50 >$parameters/max_urgent
  echo weighted >$parameters/policy
  return $good
}

unloaded() {
  busy 128,255
  good=0
  within 1 nice -10 || good=1
  ! rmmod farcall 2>/dev/null || { echo "unloaded while in use"; good=1; }
  end_busy
  i=0
  until rmmod farcall 2>/dev/null; do
    i=$((i + 1))
    [ $i -lt 100 ] || { rmmod farcall; return 1; }
    usleep 50000
  done
  insmod /farcall/farcall.ko && user shares --milliseconds 300 --priorities 64 && rmmod farcall && [ $good -eq 0 ]
}

clean() {
  dmesg >/tmp/log
  ! grep -nE 'BUG|WARNING|Oops|Call Trace|lockdep|stack guard|possible recursive|farcall.*error' /tmp/log
}

check weight-none loaded_with_none
check weight-order ordered
check weight-trace traced
check weight-inherit user inherit
check weight-limits limited
check weight-switch switched
check weight-urgent urgent
check weight-root-only root_only
check weight-unload unloaded
check weight-log clean
echo "end of weighting"
poweroff -f

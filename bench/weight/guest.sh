#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs in the guest, as root (it switches the policy): what weighting does, with and without it side by side. One line of
# JSON for each result.    guest.sh ROUND EVENTS MILLISECONDS
round=$1
events=$2
milliseconds=$3
policy_file=/sys/module/farcall/parameters/policy
release=$(uname -r | cut -d. -f1,2)
# The full slice, where the kernel has one: init leaves it alone when it boots with policy=none, so this is the kernel's own.
slice_file=/sys/kernel/debug/sched/base_slice_ns
mount -t debugfs none /sys/kernel/debug 2>/dev/null
own_slice=$(cat $slice_file 2>/dev/null)
full_slice=20000000

measure() { # FARCALL-DEMO'S ARGUMENTS…
  farcall-demo "$@" --json | sed "s/^{/{\"release\": \"$release\", \"policy\": \"$policy\", \"round\": $round, /"
}

# Each round the other way round: what drifts, drifts for both.
if [ $((round % 2)) -eq 1 ]; then policies="none weighted urgent"; else policies="urgent weighted none"; fi
for policy in $policies; do
  echo "$policy" >$policy_file || exit 1
  if [ "$policy" = none ]; then slice=$own_slice; else slice=$full_slice; fi
  [ -z "$own_slice" ] || echo "$slice" >$slice_file || exit 1
  for hogs in 1 4 16; do measure wakeup --hogs $hogs --count "$events" --samples; done
  measure wakeup --rivals 4 --count "$events" --samples
  # For processes that don't sleep, the third policy is the second.
  [ "$policy" != urgent ] || continue
  measure shares --priorities 16,32,64 --milliseconds "$milliseconds"
  measure shares --priorities 16,32,64 --storm --plain 1 --milliseconds "$milliseconds"
  measure eventcost
done
echo "end"

#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs in the guest as root, from the image that is its root file system. Prints "pass NAME" or "fail NAME" lines.
#   check TYPE ACCESS
type=$1
access=$2

check() {
  name=$1
  shift
  echo "--- $name: $*"
  if "$@"; then echo "pass $name"; else echo "fail $name (status $?)"; fi
}

ask() {
  echo "ask $*"
  read -r answer
  [ "$answer" = good ] || { echo "the host: ${answer:-no answer}"; return 1; }
}

mounted() { grep " / $type $access,nosuid,nodev" /proc/mounts; }
# The programs have shared libraries; the data is read through the page cache, and again past it.
reads() {
  first=$(sha256sum </data/a) && echo 3 >/proc/sys/vm/drop_caches && [ "$first" = "$(sha256sum </data/a)" ] && echo "$first"
}
# /tmp is memory either way.
refuses() { echo x >/tmp/x && ! echo x >/data/x && ! rm /data/a && ! mkdir /data/d; }
writes() {
  cp /data/a /data/copy || return 1
  # Has its file open for writing when the command ends.
  (echo kept; exec sleep 1000) >/data/kept &
}
# What is free in the image can be free on the host.
shrinks() { sync && ask measure && rm /data/old && sync && fstrim / && ask shrunk; }
# The file behind the root is out of every process's sight, root's too.
hidden() { [ ! -e /farcall/image ] && ! grep -q ' farcall ' /proc/mounts; }

check mounted mounted
check reads reads
check hidden hidden
if [ "$access" = rw ]; then
  check writes writes
  check shrinks shrinks
  check alone ask alone
else
  check refuses refuses
fi
exit 7

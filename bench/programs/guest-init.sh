#!/bin/busybox sh
# SPDX-License-Identifier: MIT
# shellcheck shell=dash
# The first process of QEMU's guests: what /bench says is loaded and mounted at /mnt, then the probe talks to the port "probe".
/bin/busybox --install -s /bin
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t devtmpfs dev /dev 2>/dev/null
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tmpfs tmp /tmp
while read -r module; do
  insmod "/bench/modules/$module.ko" || echo "no module $module"
done </bench/modules/order
# shellcheck source=/dev/null
. /bench/setup
for port in /sys/class/virtio-ports/*; do
  read -r name <"$port/name"
  # Once open for both: a port that is closed in between loses what came.
  [ "$name" = probe ] && /bin/farcall-probe /mnt <>"/dev/${port##*/}" >&0
done
poweroff -f

#!/bin/sh
# SPDX-License-Identifier: MIT
# Part of guest.sh: a share of the host as a file system at /mnt/fs (from-host: a file in it). What is made there is looked at
# by the host afterwards (fs_judge in in_vm.sh).

fs_mounted() {
  grep ' /mnt/fs farcall ' /proc/mounts && df /mnt/fs && [ "$(stat -c %u:%g /mnt/fs)" = "$(id -u):$(id -g)" ]
}

fs_program() { farcall-e2e-fs /mnt/fs/program.d >/mnt/fs/program.out 2>&1 && rmdir /mnt/fs/program.d; }

# What the host changes is seen at once, and the other way round.
fs_both_ways() {
  ask fs-write /mnt/fs/said "from the host" || return 1
  [ "$(cat /mnt/fs/said)" = "from the host" ] || return 1
  exec 4>>/mnt/fs/said
  ask fs-write /mnt/fs/said "from the host again" || return 1
  [ "$(cat /mnt/fs/said)" = "from the host again" ] || return 1
  [ "$(stat -c %s /mnt/fs/said)" = 20 ] || return 1
  echo "appended" >&4
  exec 4>&-
  [ "$(tail -n 1 /mnt/fs/said)" = appended ] || return 1
  ask fs-remove /mnt/fs/said || return 1
  [ ! -e /mnt/fs/said ] || return 1
  printf 'from the guest' >/mnt/fs/said && echo ", and more" >>/mnt/fs/said
}

fs_tools() (
  cd /mnt/fs && mkdir -p tree/a/b tree/c && cp from-host tree/copy && ln tree/copy tree/hard && ln -s ../copy tree/a/soft &&
    dd if=tree/a/soft of=tree/a/odd bs=12345 2>/dev/null && cmp from-host tree/a/odd && mv tree/a/odd tree/c/moved &&
    cp -r tree/a tree/d && chmod 711 tree/d && touch -d @1000000000 tree/c/moved && mkfifo tree/fifo &&
    seq 100000 | sort -r >tree/sorted && tar cf tree/c.tar -C tree c && mkdir tree/e && tar xf tree/c.tar -C tree/e &&
    cmp tree/e/c/moved from-host && rm tree/c.tar && (echo through >tree/fifo & cat tree/fifo) && cp /bin/busybox tree/busybox &&
    [ "$(tree/busybox echo runs)" = runs ] && rm -r tree/d && [ "$(find tree -name moved | wc -l)" = 2 ] &&
    (cd tree && find . -exec stat -c '%n %f %a %h %s' {} +) | while read -r name mode rest; do
      case $mode in
        4*) echo "$name d $rest" ;;
        8*) echo "$name f $rest" ;;
        a*) echo "$name l $rest" ;;
        1*) echo "$name p $rest" ;;
      esac
    done >/tmp/tree.list && fs_list </tmp/tree.list | sort >tree.list
)

# As find -printf '%p %y %m %n %s %l' says it.
fs_list() {
  while read -r name type mode links size; do
    [ "$type" = l ] && to=$(readlink "tree/$name") || to=
    echo "$name $type $mode $links $size $to"
  done
}

fs_checks() {
  check fs-mounted fs_mounted
  check fs-program fs_program
  check fs-both-ways fs_both_ways
  check fs-tools fs_tools
}

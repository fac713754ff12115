# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2154,SC2034
# Part of in_vm.sh: a small root file system in a disk image, once to write to and once for reading only.

# With one program without shared libraries and two that have some.
image_tree() {
  local program applet
  mkdir -p tree/{bin,dev,proc,run,sys,tmp,etc,data}
  cp /bin/busybox tree/bin/
  for applet in sh cat cp grep mkdir rm sleep sync; do ln -s busybox "tree/bin/$applet"; done
  for program in sha256sum fstrim; do
    cp "$(command -v $program)" tree/bin/
    ldd "tree/bin/$program" | grep -o '/[^ ]*' | while read -r file; do cp -L --parents "$file" tree; done
  done
  cp "$here/images_guest.sh" tree/check
  head -c 3000000 in/a >tree/data/a
  cp in/b tree/data/old
}

# What the guest asks for while it has the image.
image_answer() {
  case $1 in
    alone) # nobody else gets it, not even for reading
      ! vm --root "$work/disk:rw" -- /bin/true >second 2>&1 && grep "disk' is in use" second \
        && ! vm --root "$work/disk" -- /bin/true >second 2>&1 && grep "disk' is in use" second ;;
    measure) stat -c %b disk >blocks ;;
    shrunk) # by most of the 2500000 bytes that were removed
      stat -c %b disk && (($(stat -c %b disk) + 4000 < $(cat blocks))) ;;
    *) echo "unknown: $*"; return 1 ;;
  esac
}

# image_session TYPE ACCESS: leaves what the guest's checks printed in ./log.
image_session() {
  rm -f disk to from
  case $1 in
    ext4) mke2fs -q -t ext4 -d tree disk 24M ;;
    squashfs) mksquashfs tree disk -quiet -no-progress ;;
    erofs) mkfs.erofs --quiet -zlz4 disk tree ;;
  esac >mkfs.out 2>&1 || { cat mkfs.out; return 1; }
  touch made
  mkfifo to from
  vm_here --root "$work/disk:$2" --user 0:0 --kernel-log image.klog -- sh /check "$1" "$2" <to >from 2>&1 &
  vm_pid=$!
  converse image_answer
}

# What was written is in the file, also by a process that the command left behind, and the file system needs no repair.
image_is_clean() {
  e2fsck -n disk | tee check && grep -q ': clean,' check && e2fsck -fn disk
}
image_has_files() {
  debugfs -R 'dump /data/copy copied' disk && cmp copied tree/data/a && debugfs -R 'cat /data/kept' disk | grep -qx kept \
    && ! debugfs -R 'cat /data/old' disk | grep -q .
}

image_checks() {
  local type=squashfs
  [[ $release == 6.1 ]] || type=erofs
  [[ -d tree ]] || image_tree
  with_retries "writable image" image_session ext4 rw
  guest_verdicts "$release-image"
  verdict "$release-image-status" session_ended 7
  verdict "$release-image-clean" image_is_clean
  verdict "$release-image-files" image_has_files
  verdict "$release-image-kernel-log" kernel_log_is_clean image.klog
  with_retries "image $type" image_session "$type" ro
  guest_verdicts "$release-image-ro"
  verdict "$release-image-ro-status" session_ended 7
  verdict "$release-image-ro-unchanged" test -n "$(find disk ! -newer made)"
  verdict "$release-image-ro-kernel-log" kernel_log_is_clean image.klog
}

#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The nested rig: runs a command on a machine that has KVM, on any machine. QEMU's TCG emulates a CPU with SVM, a stock
# Debian kernel boots in it, and the command runs there as root, in the current directory, on the files of this machine.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/lib.sh"
# Whatever goes wrong on our side: 125. The command's own statuses are passed on; 124 when it exceeds its time.
die_status=125

usage() {
  cat <<'USAGE'
usage: rig.sh [OPTIONS] -- CMD ARGS…
  --timeout SECONDS   time limit of CMD itself (default 600)
  --mem MB            memory of the rig (default 3072)
  --env NAME=VALUE    environment variable of CMD (PATH, HOME, TERM and LANG are set anyway); repeatable
  --export DIR        DIR is shared: what CMD writes there stays; everything else that it writes is lost; repeatable
  --stdin             this script's stdin, read to its end first, is CMD's (otherwise: /dev/null)
  --pin               each of the rig's CPUs on a core of its own, for measurements: left alone, the scheduler now and
                      then puts both on one core while somebody else has the other, and two that poll take turns
  --log FILE          keep the console log of the rig's kernel here, also when all goes well
  --verbose           say what takes how long
Exit status: that of CMD (128+N when signal N ended it, 126 or 127 when it cannot be started),
             124 when it ran too long, 125 when the rig itself failed.
Files of this machine appear in the rig as they are at its start; /proc /sys /dev and /run are the rig's own.
The rig's kernel is FARCALL_CACHE/kernels/guest-6.12; more of its modules (tun, loop, …) can be loaded with insmod.
USAGE
}

limit=600 mem=3072 take_stdin=0 verbose=0 pin=0 log_to=''
boot_limit=${FARCALL_RIG_BOOT_SECONDS:-120}
boot_tries=3
env_words=("PATH=$PATH" HOME=/root "TERM=${TERM:-dumb}" "LANG=${LANG:-C.UTF-8}" USER=root)
exports=()
while (($# > 0)); do
  case $1 in
    --timeout | --mem | --env | --export | --log) (($# >= 2)) || die "$1 needs a value" ;;&
    --timeout) limit=$2; shift 2 ;;
    --mem) mem=$2; shift 2 ;;
    --env) [[ $2 == [A-Za-z_]*=* ]] || die "--env needs NAME=VALUE, not '$2'"; env_words+=("$2"); shift 2 ;;
    --export) [[ -d $2 ]] || die "--export: '$2' is not a directory"; [[ $2 != *[,$'\n']* ]] || die "--export: no commas please"; exports+=("$(cd -- "$2" && pwd -P)"); shift 2 ;;
    --log) log_to=$2; shift 2 ;;
    --stdin) take_stdin=1; shift ;;
    --verbose) verbose=1; shift ;;
    --pin) pin=1; shift ;;
    --help | -h) usage; exit 0 ;;
    --) shift; break ;;
    *) die "unknown option '$1' (the command comes after --)" ;;
  esac
done
(($# > 0)) || { usage >&2; exit 125; }
[[ $limit =~ ^[1-9][0-9]{0,6}$ ]] || die "--timeout needs a number of seconds, not '$limit'"
[[ $mem =~ ^[1-9][0-9]{2,6}$ ]] || die "--mem needs a number of megabytes, not '$mem'"
say() { if ((verbose)); then note "$* ($(elapsed))"; fi; }

# FARCALL_RIG_QEMU, else the fetched one if there is one that runs here, else the installed one.
find_qemu() {
  local path
  for path in "${FARCALL_RIG_QEMU:-}" "$farcall_cache/kernels/rig-qemu/usr/bin/qemu-system-x86_64" \
    "$(command -v qemu-system-x86_64 || true)"; do
    if [[ -n $path && -x $path ]] && "$path" --version >/dev/null 2>&1; then echo "$path"; return; fi
  done
  die "qemu-system-x86_64 is missing; run scripts/setup.sh as root first"
}

# The part of the initramfs that does not depend on the command; its name is the hash of what went in.
build_base() {
  local tools=$rig_cache/bin stage key file
  build_c "$tools/supervise" "$here/frame.h" "$here/supervise.c"
  build_c "$tools/agent" -static "$here/frame.h" "$here/agent.c"
  build_c "$tools/heartbeat" -static -pthread "$here/heartbeat.c"
  build_c "$tools/hold" -static "$here/hold.c"
  key=$(cat "$here/init" "$tools/agent" "$tools/heartbeat" "$tools/hold" "$kernel/version" <(echo "${modules[*]}") | sha256sum | cut -c 1-16)
  base=$rig_cache/base-$key.cpio
  if [[ -f $base ]]; then return; fi
  stage=$run/stage
  mkdir -p "$stage"/{bin,dev,proc,sys,lower,upper,new,rig/modules}
  cp /bin/busybox "$stage/bin/busybox"
  for file in sh mount insmod mkdir ln ip hostname poweroff sleep; do ln -s busybox "$stage/bin/$file"; done
  cp "$here/init" "$stage/init"
  cp "$tools/agent" "$tools/heartbeat" "$tools/hold" "$stage/rig/"
  for file in "${modules[@]}"; do
    cp "$kernel/modules/$file.ko" "$stage/rig/modules/" || die "the kernel in $kernel has no module $file"
  done
  printf '%s\n' "${modules[@]}" >"$stage/rig/modules/order"
  (cd "$stage" && find . | cpio --quiet -o -H newc -R 0:0) >"$run/base.cpio"
  mv "$run/base.cpio" "$base"
}

write_job() {
  local job=$run/job/rig i
  mkdir -p "$job"
  printf '%s\0' "$@" >"$job/argv"
  printf '%s\0' "${env_words[@]}" >"$job/env"
  printf '%s' "$PWD" >"$job/cwd"
  : >"$job/exports"
  for i in "${!exports[@]}"; do echo "export$i ${exports[$i]}" >>"$job/exports"; done
  if ((take_stdin)); then cat >"$job/stdin"; fi
  { cat "$base"; (cd "$run/job" && find . | cpio --quiet -o -H newc -R 0:0); } >"$run/initrd"
  rm -rf "$run/job"
}

# start_virtiofsd NAME SOURCE CACHE: serves SOURCE on $run/NAME.sock and waits until it listens.
start_virtiofsd() {
  local i
  # pdeathsig: should this script be killed outright, nothing of it stays behind.
  setpriv --pdeathsig KILL "$virtiofsd" --socket-path="$run/$1.sock" -f -o "source=$2" -o "cache=$3" -o sandbox=chroot \
    -o log_level=err >>"$run/virtiofsd.log" 2>&1 </dev/null &
  daemons+=($!)
  for ((i = 0; i < 500; i++)); do
    if [[ -S $run/$1.sock ]]; then return; fi
    kill -0 "${daemons[-1]}" 2>/dev/null || break
    sleep 0.02
  done
  die "virtiofsd does not start: $(tail -n 1 "$run/virtiofsd.log")"
}

stop_all() {
  local pid
  for pid in "${supervisor:-}" "${daemons[@]}"; do
    if [[ -n $pid ]]; then end_process "$pid"; fi
  done
  supervisor=''
  daemons=()
}

# keep_log: puts the logs of a failure where the next run does not remove them, and prints the place.
keep_log() {
  local to
  mkdir -p "$rig_cache/failed"
  to=$(mktemp "$rig_cache/failed/$(date +%Y%m%d-%H%M%S).XXXX.log")
  cat "$run/l1.log" "$run/qemu.log" "$run/virtiofsd.log" >"$to" 2>/dev/null || true
  # The newest forty are enough to look into.
  find "$rig_cache/failed" -name '*.log' | sort -r | tail -n +41 | xargs -r rm -f
  echo "$to"
}

# sweep: removes run directories whose script was killed outright.
sweep() {
  local dir pid
  for dir in "${TMPDIR:-/tmp}"/farcall-rig.*; do
    pid=$(cat "$dir/pid" 2>/dev/null || true)
    if [[ $pid =~ ^[0-9]+$ && ! -d /proc/$pid ]]; then rm -rf "$dir"; fi
  done
}

qemu_arguments() {
  local cpu=max,+svm,+npt version i
  version=$("$qemu" --version | sed -nE '1s/.*version ([0-9]+)\..*/\1/p')
  # QEMU 7.2's TCG gets cmpxchg16b wrong; without it the kernel takes another path.
  if ((${version:-0} < 10)); then cpu+=,-cx16; fi
  qemu_args=(
    -accel "tcg,thread=multi" -M "q35,memory-backend=m" -cpu "$cpu" -smp 2 -m "$mem"
    -object "memory-backend-memfd,id=m,size=${mem}M,share=on"
    -name "rig,debug-threads=on" -nodefaults -no-user-config -display none -no-reboot
    -kernel "$kernel/vmlinux" -initrd "$run/initrd"
    -append 'console=ttyS0 quiet panic=-1 mitigations=off noautogroup'
    -serial "file:$run/l1.log"
    -device virtio-serial-pci -chardev "socket,id=rig,fd=3" -device "virtserialport,chardev=rig,name=rig"
    -chardev "socket,id=root,path=$run/root.sock" -device "vhost-user-fs-pci,chardev=root,tag=rigroot"
  )
  for i in "${!exports[@]}"; do
    qemu_args+=(-chardev "socket,id=export$i,path=$run/export$i.sock" -device "vhost-user-fs-pci,chardev=export$i,tag=export$i")
  done
}

# pin_cpus PID: the threads of PID's child QEMU that are CPUs, in turn on the cores that we may use. In the background.
pin_cpus() {
  local task number pinned i cores=()
  mapfile -t cores < <(python3 -c 'import os; print(*sorted(os.sched_getaffinity(0)), sep="\n")')
  for ((i = 0; i < 200; i++)); do
    pinned=0
    for task in "/proc/$(cut -d ' ' -f 1 "/proc/$1/task/$1/children" 2>/dev/null)"/task/*; do
      number=$(sed -nE 's,^CPU ([0-9]+)/TCG$,\1,p' "$task/comm" 2>/dev/null || true)
      [[ -n $number ]] || continue
      taskset -cp "${cores[number % ${#cores[@]}]}" "${task##*/}" >/dev/null 2>&1 && pinned=$((pinned + 1))
    done
    ((pinned < 2)) || return 0
    sleep 0.1
  done
  note "the rig's CPUs could not be pinned"
}

# The kernel's own words, if it had any: a panic explains itself.
kernel_complaint() {
  local line
  line=$(grep -a -m 1 -E 'Kernel panic|BUG:|Oops|Out of memory' "$run/l1.log" 2>/dev/null | tr -d '\r' || true)
  if [[ -n $line ]]; then echo " ($line)"; fi
}

# attempt: one start of the rig; sets result and status.
attempt() {
  local i code=0
  rm -f "$run"/*.sock "$run/result" "$run/l1.log"
  start_virtiofsd root / always
  for i in "${!exports[@]}"; do start_virtiofsd "export$i" "${exports[$i]}" auto; done
  # In the background and waited for, so that a signal to this script is handled at once.
  (cd "$run" && exec setpriv --pdeathsig TERM "$rig_cache/bin/supervise" "$run/result" "$boot_limit" "$limit" \
    "$qemu" "${qemu_args[@]}") </dev/null &
  supervisor=$!
  if ((pin)); then pin_cpus "$supervisor" & fi
  wait "$supervisor" || code=$?
  supervisor=''
  stop_all
  # Killed by SIGPIPE: nobody reads our output any more.
  if ((code == 141)); then exit 141; fi
  read -r result status <"$run/result" || die "the supervisor failed with status $code; the log is $(keep_log)"
}

need_root
need cpio sha256sum setpriv
[[ -x /bin/busybox ]] || die "busybox is missing; run scripts/setup.sh as root first"
virtiofsd=$(find_virtiofsd)
here=$repo_root/scripts/rig
rig_cache=$farcall_cache/rig
kernel=$farcall_cache/kernels/guest-6.12
modules=(irqbypass kvm kvm-amd overlay)
# Says nothing when the kernels are there.
FARCALL_QUIET=1 "$repo_root/scripts/fetch-kernels.sh" "$farcall_cache/kernels" || die "the rig's kernel cannot be fetched"
qemu=$(find_qemu)

mkdir -p "$rig_cache"
sweep
# Unix socket names are short (108 bytes), so the run directory is not under the cache.
run=$(mktemp -d "${TMPDIR:-/tmp}/farcall-rig.XXXXXX")
daemons=() supervisor=''
echo "$$" >"$run/pid"
trap 'stop_all; rm -rf "$run"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
build_base
write_job "$@"
qemu_arguments

for ((try = 1; ; try++)); do
  say "starting the rig with $qemu"
  attempt
  say "it ended with: $result $status"
  # Only a start that never got to the command may be repeated, and never silently.
  [[ $result == boot-* ]] || break
  why=$(grep -a -m 1 -o 'rig-init: .*' "$run/l1.log" 2>/dev/null | tr -d '\r' || true)
  [[ -z $why ]] || die "the rig does not come up (${why#rig-init: }); the log is $(keep_log)"
  if [[ $result == boot-timeout ]]; then why="not up after $boot_limit s"; else why="QEMU ended: $(tail -n 1 "$run/qemu.log" 2>/dev/null)"; fi
  kept=$(keep_log)
  ((try < boot_tries)) || die "the rig does not come up in $try attempts ($why); the log is $kept"
  note "start $try of $boot_tries failed before the command was started ($why; log $kept); starting again"
done
if [[ -n $log_to ]]; then cp "$run/l1.log" "$log_to"; fi

case $result in
  exit) exit "$status" ;;
  timeout) die_status=124 die "the command ran longer than $limit s and was ended; the log is $(keep_log)" ;;
  output) die "what the command writes cannot be written to this script's stdout or stderr" ;;
  *) die_status=123 die "the rig broke down while the command ran$(kernel_complaint); the log is $(keep_log)" ;;
esac

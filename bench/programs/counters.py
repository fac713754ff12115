# SPDX-License-Identifier: MIT
"""What a VM has cost so far: KVM's own counters (debugfs), instructions where the processor counts them, and for farcall those
of its control socket."""
import contextlib
import ctypes
import functools
import json
import os
import pathlib
import platform
import socket
import struct

KVM = pathlib.Path("/sys/kernel/debug/kvm")
# exits: all of them, also those that KVM handles by itself. halt_exits and those of ports and memory are among them.
KVM_NAMES = ("exits", "irq_injections", "halt_exits", "io_exits", "mmio_exits")
FARCALL_NAMES = ("commands", "interrupts", "doorbells", "sleeps")


PERF_EVENT_OPEN = {"x86_64": 298, "aarch64": 241}
HARDWARE_INSTRUCTIONS = (0, 1)  # type and number of the event in <linux/perf_event.h>


def open_counter(tid, event):
    """A descriptor that counts for that thread from now on, in the kernel and in a guest as well. Raises OSError."""
    kind, number = event
    attributes = struct.pack("=IIQQQQQIIQ", kind, 64, number, 0, 0, 0, 0, 0, 0, 0)
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.syscall(PERF_EVENT_OPEN[platform.machine()], attributes, tid, -1, -1, 0)
    if fd < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return fd


@functools.cache
def no_instructions():
    """Why nothing counts them here; None: it does."""
    try:
        os.close(open_counter(0, HARDWARE_INSTRUCTIONS))
    except OSError as error:
        return f"the processor counts none here (perf_event_open: {error.strerror})"
    return None


class Threads:
    """An event of all threads of a process; of one that came later, since it was first seen."""

    def __init__(self, pid, event=HARDWARE_INSTRUCTIONS):
        self.pid, self.event, self.fds = pid, event, {}

    def count(self):
        for tid in map(int, os.listdir(f"/proc/{self.pid}/task")):
            if tid not in self.fds:
                with contextlib.suppress(ProcessLookupError):  # it has ended since
                    self.fds[tid] = open_counter(tid, self.event)
        return sum(struct.unpack("=Q", os.read(fd, 8))[0] for fd in self.fds.values())

    def close(self):
        for fd in self.fds.values():
            os.close(fd)
        self.fds = {}


watched = {}  # processes whose instructions are counted


def instructions(pid):
    """Nothing where they are not counted."""
    if no_instructions():
        return {}
    if pid not in watched:
        watched[pid] = Threads(pid)
    return {"instructions": watched[pid].count()}


def vm(pid):
    return kvm(pid) | instructions(pid)


def kvm(pid):
    """Of the VM that the process made, which has one at most."""
    found = list(KVM.glob(f"{pid}-*"))
    if len(found) != 1:
        raise RuntimeError(f"{len(found)} VMs of process {pid} in {KVM}; is debugfs mounted?")
    return {name: int((found[0] / name).read_text()) for name in KVM_NAMES}


def farcall(control):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(control))
        connection.sendall(b"stats json\n")
        text = b"".join(iter(lambda: connection.recv(65536), b""))
    workers = json.loads(text)["workers"]
    return {f"farcall_{name}": sum(worker[name] for worker in workers) for name in FARCALL_NAMES}

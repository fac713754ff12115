# SPDX-License-Identifier: MIT
"""QEMU with KVM: the same guest kernel, with virtiofs or 9p."""
import os
import pathlib
import shutil
import socket
import subprocess
import time

import counters
import network
from line import Line, Lost
from systems import Host

HERE = pathlib.Path(__file__).resolve().parent
# QEMU's device without a driver, for the price of an exit.
TEST_SLOT = "1e.0"
TEST_DEVICE = f"/sys/bus/pci/devices/0000:00:{TEST_SLOT}"


def pack(tree, programs):
    """Programs of this host with what they are linked with, and the users whose names they look up."""
    files = set()
    for program in programs:
        files.add(program)
        text = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
        files.update(word for word in text.split() if word.startswith("/"))
    for file in files:
        to = tree / file.lstrip("/")
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, to)
    for name in ("etc/passwd", "etc/group"):
        (tree / "etc").mkdir(exist_ok=True)
        shutil.copy(f"/{name}", tree / name)
    for name in ("var/log/nginx", "var/lib/nginx", "run", "var/run"):
        (tree / name).mkdir(parents=True, exist_ok=True)


class Qemu(Host):
    """The same guest kernel in QEMU; `cache` is the guest's: none asks the host each time, as farcall does."""

    def __init__(self, setting, directory, kind, cache):
        super().__init__(setting, directory)
        self.kind, self.cache = kind, cache
        self.name = f"{kind}-{cache}"
        self.vm = None
        self.networked = bool(setting.programs) and self.name == setting.networked

    def initrd(self):
        """An archive with busybox, the probe, modules, and what is to be mounted."""
        tree = self.setting.work / f"{self.name}.tree"
        shutil.rmtree(tree, ignore_errors=True)
        for name in ("bin", "dev", "proc", "sys", "tmp", "mnt", "bench/modules"):
            (tree / name).mkdir(parents=True)
        shutil.copy("/bin/busybox", tree / "bin/busybox")
        shutil.copy(self.setting.probe, tree / "bin/farcall-probe")
        shutil.copy(HERE / "guest-init.sh", tree / "init")
        modules = ["netfs", "9pnet", "9pnet_virtio", "9p"] if self.kind == "9p" else []
        modules += network.GUEST_MODULES if self.networked else []
        for name in modules:
            shutil.copy(self.setting.module(name), tree / "bench/modules")
        (tree / "bench/modules/order").write_text("".join(f"{name}\n" for name in modules))
        (tree / "bench/setup").write_text(self.mount_command() + "\n" + (network.GUEST_SETUP if self.networked else ""))
        pack(tree, self.setting.programs)
        image = self.setting.work / f"{self.name}.cpio"
        with open(image, "wb") as file:
            subprocess.run("find . | cpio --quiet -o -H newc -R 0:0", shell=True, cwd=tree, stdout=file, check=True)
        shutil.rmtree(tree)
        return image

    def mount_command(self):
        if self.kind == "9p":
            # The packet size that QEMU's documentation recommends: the default would take eight times the requests at 1 MiB.
            return f"mount -t 9p -o trans=virtio,version=9p2000.L,msize=524288,cache={self.cache} bench /mnt"
        return "mount -t virtiofs bench /mnt"

    def start_virtiofsd(self):
        path = self.setting.work / f"{self.name}.fs"
        path.unlink(missing_ok=True)
        self.spawn([self.setting.virtiofsd, f"--socket-path={path}", "-f", "-o", f"source={self.directory}", "-o",
                    f"cache={self.cache}", "-o", "sandbox=chroot", "-o", "log_level=err"], self.setting.host_core)
        until = time.monotonic() + 20
        while not path.exists():
            if time.monotonic() > until:
                raise Lost("virtiofsd does not start")
            time.sleep(0.05)
        return ["-chardev", f"socket,id=fs,path={path}", "-device", "vhost-user-fs-pci,chardev=fs,tag=bench"]

    def share_arguments(self):
        if self.kind == "virtiofs":
            return self.start_virtiofsd()
        return ["-fsdev", f"local,id=fs,path={self.directory},security_model=passthrough", "-device",
                "virtio-9p-pci,fsdev=fs,mount_tag=bench"]

    def arguments(self, port):
        memory = self.setting.memory
        return [self.setting.qemu, "-name", "guest,debug-threads=on", "-accel", "kvm", "-M", "q35,memory-backend=m", "-cpu", "host",
                "-smp", "1", "-m", memory, "-object", f"memory-backend-memfd,id=m,size={memory}M,share=on", "-nodefaults",
                "-no-user-config", "-display", "none", "-no-reboot", "-kernel", self.setting.kernel, "-initrd", self.initrd(),
                "-append", self.setting.command_line, "-serial", f"file:{self.setting.work / (self.name + '.klog')}", "-device",
                "virtio-serial-pci", "-chardev", f"socket,id=probe,fd={port}", "-device",
                "virtserialport,chardev=probe,name=probe", "-device", f"pci-testdev,addr={TEST_SLOT}", *self.share_arguments(), *(network.arguments() if self.networked else ())]

    def launch(self):
        if self.networked:
            network.prepare(self.setting)
        here, there = socket.socketpair()
        with there:
            arguments = self.arguments(there.fileno())
            # Its own threads do the host's work (9p), on the core where farcall has its worker; the vCPU gets the other one.
            self.vm = self.spawn(arguments, self.setting.host_core, pass_fds=[there.fileno()], stdin=subprocess.DEVNULL)
        self.line = Line(here.fileno(), os.dup(here.detach()))
        self.pin_vcpu()

    def pin_vcpu(self):
        until = time.monotonic() + 20
        while time.monotonic() < until and self.vm.poll() is None:
            for task in pathlib.Path(f"/proc/{self.vm.pid}/task").iterdir():
                if (task / "comm").read_text().startswith("CPU 0/KVM"):
                    os.sched_setaffinity(int(task.name), {self.setting.guest_core})
                    return
            time.sleep(0.05)
        raise Lost("QEMU does not start")

    def counts(self):
        return counters.vm(self.vm.pid)

    def service(self, port):
        return network.GUEST, port

    def peer(self):
        return network.HOST

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the probe in each system, in turns, on a machine whose KVM runs guests: JSON lines into a file.

All systems are up at the same time and wait; each operation is measured in one after the other before the next begins, so
that what drifts, drifts for all. A guest that the rig's emulator loses is started again, and that is said; an operation
that fails is never repeated.
"""
import argparse
import contextlib
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time

import counters
import programs
from line import Lost
from qemu import TEST_DEVICE, Qemu
from systems import Farcall, Host

SIZES = (512, 4096, 65536, 1 << 20)
FILE_OPS = [(op, size) for op in ("seqread", "randread", "seqwrite", "randwrite") for size in SIZES]
NAME_OPS = [("create", 0), ("stat", 0), ("restat", 0), ("unlink", 0)]
PRICE_OPS = [("spin", 1), ("spin", 300), ("exit", 0)]  # spin: milliseconds of nothing, for what exits without us
FIRST_LOOK, FEWEST, MOST = 4, 8, 100000  # operations
NAMES = 60  # the same for all: what a name costs depends on how many there are
ATTEMPTS = 3


def log(text):
    print(f"measure: {text}", file=sys.stderr, flush=True)


def in_emulator():
    return "TCG" in pathlib.Path("/proc/cpuinfo").read_text()


class Setting:
    """What the systems have in common."""

    def __init__(self, options, work):
        self.build, self.peers, self.work = options.build.resolve(), options.peers.resolve(), work
        self.probe = self.build / "farcall-probe"
        self.guest = options.guest
        self.kernel = self.build / "guest" / self.guest / "vmlinux"
        self.modules = options.modules.resolve()
        self.memory = 512
        cores = sorted(os.sched_getaffinity(0))
        self.guest_core, self.host_core = cores[0], cores[-1]
        self.qemu, self.virtiofsd = options.qemu, options.virtiofsd
        self.programs = programs.PACKED if options.plan == "programs" else []
        self.networked = "virtiofs-none"  # of QEMU's guests, the one that gets a network
        if in_emulator() and not (self.peers / "vhost_net.ko").exists():
            self.networked = None
            log("SKIP the network of QEMU's guest: there is no vhost-net, see fetch-peers.sh")
        self.accept_port = 18390
        self.service_ports = (programs.REDIS_PORT, programs.WEB_PORT)
        # As `farcall run` gives it to its guests, but for the words for its own module.
        self.command_line = "console=ttyS0 quiet panic=-1 reboot=t noautogroup 8250.nr_uarts=1 random.trust_cpu=on"
        if in_emulator():
            self.command_line += " tsc=reliable no_timer_check nokaslr mitigations=off"

    def module(self, name):
        return next(path for path in (self.peers / f"{name}.ko", self.modules / f"{name}.ko") if path.exists())

    @staticmethod
    def offset(system):
        """Of the ports that systems on the same loopback have for the same service; below those that clients get by chance."""
        return {"host": 10000, "farcall": 12000, "farcall-exits": 14000}[system.name]


def all_systems(setting, root):
    yield Host(setting, root / "host")
    yield Farcall(setting, root / "farcall")
    # Nobody polls in the guest: each operation that waits halts, which is an exit, and is woken by an interrupt.
    yield Farcall(setting, root / "exits", "farcall-exits", "farcall.spin_us=0 farcall.spin_max_us=0")
    yield Qemu(setting, root / "virtiofs-none", "virtiofs", "none")
    yield Qemu(setting, root / "virtiofs-auto", "virtiofs", "auto")
    if (setting.peers / "9p.ko").exists():
        yield Qemu(setting, root / "9p-none", "9p", "none")
        yield Qemu(setting, root / "9p-loose", "9p", "loose")
    else:
        log("SKIP 9p: its modules are not there, see fetch-peers.sh")


class ProbeOp:
    """An operation of the probe's own."""

    def __init__(self, op, size, session):
        self.op, self.size, self.session = op, size, session
        self.typical = {}  # ns by system, of the last time

    def suits(self, system):
        return self.op != "exit" or isinstance(system, Qemu)  # the device is QEMU's

    def words(self, system):
        """What the probe needs besides, see probe_ops.cc."""
        if self.op == "exit":
            return [TEST_DEVICE]
        # The names of a file system in memory cannot be forgotten, and the host's caches are not ours to drop.
        return ["warm"] if self.op in dict(NAME_OPS) and system.name == "host" else []

    def count(self, system):
        if self.op in dict(NAME_OPS):
            return NAMES
        if self.op == "spin":
            return self.size * 1000
        if system.name not in self.typical:
            first = system.measure(self.op, self.size, FIRST_LOOK, *self.words(system))
            self.typical[system.name] = max(1, statistics.median(first["ns"]))
        return min(max(int(self.session.budget * 1e9 / self.typical[system.name]), FEWEST), MOST)

    def measure(self, system):
        count = self.count(system)
        row = system.measure(self.op, self.size, count, *self.words(system))
        self.typical[system.name] = max(1, statistics.median(row["ns"]))
        return {"op": self.op, "bytes": self.size, "count": count, **row}


class ProgramOp:
    """One figure of a program; the program is started with the first of its figures, in each guest once."""

    def __init__(self, program, name):
        self.program, self.name = program, name
        self.op, self.size = name, 0

    def suits(self, system):
        return self.program in programs.FILES or not isinstance(system, Qemu) or system.networked

    def measure(self, system):
        if self.program not in system.started:
            self.program.prepare(system)
            system.started.add(self.program)
        return {"op": self.name, "bytes": 0, **self.program.measure(system, self.name)}


def last_words(system):
    for path in (system.setting.work / f"{system.name}.{kind}" for kind in ("log", "klog")):
        if path.exists() and path.stat().st_size > 0:
            log(f"the end of {path.name}:\n" + "\n".join(path.read_text(errors="replace").splitlines()[-12:]))


class Session:
    def __init__(self, systems, budget):
        self.systems, self.budget = systems, budget
        self.retries = 0

    def up(self, system):
        if not system.line:
            begun = time.monotonic()
            system.start()
            log(f"{system.name} is up after {time.monotonic() - begun:.1f} s")

    def measured(self, system, operation):
        """The one place where something is tried again: a guest that says nothing more, under the emulator only."""
        what = f"{system.name}, {operation.op} {operation.size}"
        for attempt in range(1, ATTEMPTS + 1):
            try:
                self.up(system)
                return {"system": system.name, **operation.measure(system)}
            except Lost as lost:
                own_fault = system.gone_wrong()
                last_words(system)
                system.stop()
                if own_fault or not in_emulator() or attempt == ATTEMPTS:
                    raise RuntimeError(f"{what}: {lost}") from lost
                self.retries += 1
                log(f"RETRY {what}: the guest was lost ({lost}; attempt {attempt} of {ATTEMPTS})")
        raise AssertionError

    def run(self, numbers, operations, out):
        for number in numbers:
            begun = time.monotonic()
            for at, operation in enumerate(operations):
                # Each time another one first, so that nobody always comes after the same one.
                turn = (number + at) % len(self.systems)
                for system in self.systems[turn:] + self.systems[:turn]:
                    if operation.suits(system):
                        print(json.dumps({"round": number, **self.measured(system, operation)}), file=out, flush=True)
            log(f"round {number + 1} took {time.monotonic() - begun:.0f} s")

    def plan(self, name):
        ops = PRICE_OPS + (FILE_OPS + NAME_OPS if name == "files" else [])
        more = programs.FILES + programs.NETWORK if name == "programs" else []
        return [ProbeOp(*op, self) for op in ops] + [ProgramOp(one, name) for one in more for name in one.names]


def machine(setting):
    version = subprocess.run([setting.qemu, "--version"], capture_output=True, text=True, check=True).stdout.splitlines()[0]
    model = [line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo", encoding="utf-8") if line.startswith("model name")]
    return {"machine": {"cpu": model[0], "host_kernel": platform.release(), "guest": setting.guest, "qemu": version,
                        "rig": in_emulator(), "load": os.getloadavg()[0], "no_instructions": counters.no_instructions()}}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--peers", type=pathlib.Path, required=True, help="modules of fetch-peers.sh")
    parser.add_argument("--modules", type=pathlib.Path, required=True, help="modules of scripts/fetch-kernels.sh")
    parser.add_argument("--plan", choices=("files", "programs"), default="files")
    parser.add_argument("--qemu", required=True)
    parser.add_argument("--virtiofsd", required=True)
    parser.add_argument("--guest", default="6.12")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first round")
    parser.add_argument("--budget", type=float, default=0.3, help="seconds that a measurement should take")
    parser.add_argument("--systems", help="only these, by commas")
    parser.add_argument("--ops", help="only these, by commas")
    return parser.parse_args()


@contextlib.contextmanager
def accepting(setting):
    """The server of this host for short connections."""
    with subprocess.Popen(["taskset", "-c", str(setting.host_core), setting.probe, "accept", str(setting.accept_port)]) as server:
        try:
            yield
        finally:
            server.kill()


def end(system):
    """A guest's servers end with it; those of this host have to be told."""
    for program in system.started:
        if system.name == "host" and hasattr(program, "finish"):
            program.finish(system)
    system.stop()


def chosen(items, names, name_of):
    return [item for item in items if not names or name_of(item) in names.split(",")]


def main():
    options = arguments()
    with tempfile.TemporaryDirectory() as work:
        # Files in memory: what is compared is the way to them.
        subprocess.run(["mount", "-t", "tmpfs", "farcall-bench", work], check=True)
        systems = []
        try:
            setting = Setting(options, pathlib.Path(work))
            systems = chosen(all_systems(setting, pathlib.Path(work) / "files"), options.systems, lambda one: one.name)
            session = Session(systems, options.budget)
            operations = chosen(session.plan(options.plan), options.ops, lambda one: one.op)
            with open(options.out, "w", encoding="utf-8") as out:
                print(json.dumps(machine(setting)), file=out)
                with accepting(setting):
                    session.run(range(options.first, options.first + options.rounds), operations, out)
                print(json.dumps({"end": True, "retries": session.retries}), file=out)
        except RuntimeError:
            for system in systems:
                last_words(system)
            raise
        finally:
            for system in systems:
                end(system)
            subprocess.run(["umount", "-l", work], check=False)


if __name__ == "__main__":
    main()

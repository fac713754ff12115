# SPDX-License-Identifier: MIT
"""The systems that are compared: each runs the same probe in a directory of this host's."""
import os
import subprocess
import sys
import time

import counters
from line import Line

BOOT_SECONDS = 120
SECONDS = 90  # without a word from a guest, and it counts as lost


def end(process):
    if process.poll() is None:
        process.kill()
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        # The emulated host has lost more than the guest; the others can still be measured.
        print(f"measure: process {process.pid} does not die", file=sys.stderr, flush=True)


class Host:
    """The probe as a process of this host: what everything else is compared with."""
    name = "host"

    def __init__(self, setting, directory):
        self.setting, self.directory, self.line = setting, directory, None
        self.processes = []
        self.started = set()  # programs that run in it

    def spawn(self, command, core, **keywords):
        log = open(self.setting.work / f"{self.name}.log", "ab")
        process = subprocess.Popen(["taskset", "-c", str(core), *map(str, command)] if core is not None else
                                   [*map(str, command)], stderr=log, **keywords)
        log.close()
        self.processes.append(process)
        return process

    def talk(self, command, core):
        process = self.spawn(command, core, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        return Line(os.dup(process.stdout.fileno()), os.dup(process.stdin.fileno()))

    def launch(self):
        self.line = self.talk([self.setting.probe, self.directory], self.setting.guest_core)

    def start(self):
        self.directory.mkdir(parents=True, exist_ok=True)
        self.launch()
        while self.line.receive(BOOT_SECONDS) != "probe":
            pass

    def stop(self):
        for process in reversed(self.processes):
            end(process)
        self.processes = []
        self.started = set()
        if self.line:
            self.line.close()
            self.line = None

    def gone_wrong(self):
        """Has it ended with a status of its own, rather than been lost?"""
        try:
            status = self.processes[-1].wait(timeout=5)
        except subprocess.TimeoutExpired:
            return False
        return status in (1, 2, 126, 127)

    def counts(self):
        return {}

    def observed(self, action):
        """What the VM exited for meanwhile, and how long it took."""
        before, begun = self.counts(), time.monotonic()
        result = action()
        wall, after = time.monotonic() - begun, self.counts()
        return result, {"wall_ns": int(wall * 1e9), "counts": {name: after[name] - before[name] for name in after}}

    def answer(self, wanted):
        words = self.line.receive(SECONDS).split(" ", 1)
        if words[0] != wanted:
            raise RuntimeError(f"{self.name}: {' '.join(words)}")
        return words[-1]

    def measure(self, op, size, count, *words):
        """One request to the probe."""
        self.line.send(" ".join([op, str(size), str(count), *words]))
        self.answer("ready")

        def go():
            self.line.send("go")
            return self.answer("done")
        answer, observed = self.observed(go)
        return {"ns": [int(word) for word in answer.split()], **observed}

    def shell(self, command):
        """Runs a command where the probe is, in its directory."""
        return self.measure("run", 0, 1, command)

    def service(self, port):
        """Where this host finds what listens on the guest's port."""
        return "127.0.0.1", port + self.setting.offset(self)

    def peer(self):
        """Where the guest finds this host."""
        return "127.0.0.1"


class Farcall(Host):
    def __init__(self, setting, directory, name="farcall", append=""):
        super().__init__(setting, directory)
        self.name, self.append = name, append
        self.control = setting.work / f"{name}.control"

    def launch(self):
        self.control.unlink(missing_ok=True)
        command = [self.setting.build / "farcall", "run", "--guest", self.setting.guest, "--user", "0:0",
                   "--memory", f"{self.setting.memory}M", "--control", self.control,
                   "--kernel-log", self.setting.work / f"{self.name}.klog", "--add", f"{self.setting.probe}:/farcall-probe",
                   "--share", f"{self.directory}:/mnt:rw"]
        command += self.for_programs() if self.setting.programs else ["--root", "packed"]
        if self.append:
            command += ["--append", self.append]
        # It chooses its cores by itself: the last for the worker, the others for the guest.
        self.line = self.talk([*command, "--", "/farcall-probe", "/mnt"], None)

    def counts(self):
        return counters.vm(self.processes[0].pid) | counters.farcall(self.control)

    def for_programs(self):
        """Each system has its ports on this host's loopback; the guest's are the same everywhere."""
        options = ["--root", "host", "--allow", f"tcp:127.0.0.1:{self.setting.accept_port}"]
        for port in self.setting.service_ports:
            options += ["--publish", f"{self.service(port)[1]}:{port}"]
        return options

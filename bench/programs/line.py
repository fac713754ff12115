# SPDX-License-Identifier: MIT
"""Lines to and from a probe, with a time limit: a guest that is lost says nothing."""
import os
import select
import time


class Lost(Exception):
    """The other side has gone, or has said nothing for too long."""


class Line:
    def __init__(self, read_fd, write_fd):
        self.read_fd, self.write_fd = read_fd, write_fd
        self.rest = b""

    def send(self, text):
        try:
            os.write(self.write_fd, text.encode() + b"\n")
        except OSError as error:
            raise Lost(f"cannot write: {error}") from error

    def receive(self, seconds):
        until = time.monotonic() + seconds
        while b"\n" not in self.rest:
            ready, _, _ = select.select([self.read_fd], [], [], max(0, until - time.monotonic()))
            if not ready:
                raise Lost(f"nothing was said for {seconds} s")
            try:
                part = os.read(self.read_fd, 65536)
            except OSError as error:
                raise Lost(f"cannot read: {error}") from error
            if not part:
                raise Lost("it ended")
            self.rest += part
        line, self.rest = self.rest.split(b"\n", 1)
        return line.decode(errors="replace").strip("\r")

    def close(self):
        for fd in {self.read_fd, self.write_fd}:
            os.close(fd)

"""Bodies between the gateway and a child process: four bytes of length before each."""

import os
import resource
import struct
import sys
from collections.abc import Iterator
from typing import BinaryIO

_LENGTH = struct.Struct(">I")
HEADER = _LENGTH.size
READY = b""
"""The first body of a child."""


def framed(body: bytes) -> bytes:
    """A body with its length before it."""
    return _LENGTH.pack(len(body)) + body


def length(header: bytes) -> int:
    """How many bytes follow a header."""
    (size,) = _LENGTH.unpack(header)
    return int(size)


class Channel:
    """The gateway, as its child sees it: bodies on standard input, answers on standard output."""

    def __init__(self, memory: int) -> None:
        """Bound this process to `memory` bytes, and say that it is ready."""
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        self._answers: BinaryIO = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)  # whatever a library prints must not look like an answer
        self.send(READY)

    def bodies(self) -> Iterator[bytes]:
        """What the gateway sends, until it closes."""
        sent = sys.stdin.buffer
        while header := sent.read(HEADER):
            yield sent.read(length(header))

    def send(self, body: bytes) -> None:
        """Answer."""
        self._answers.write(framed(body))
        self._answers.flush()


def limit_cpu(seconds: float) -> None:
    """End this process when it has used so many more seconds of CPU, and a spare."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime + seconds) + _SPARE
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.getrlimit(resource.RLIMIT_CPU)[1]))


_SPARE = 2  # seconds: a child whose gateway died ends by itself, others are killed before

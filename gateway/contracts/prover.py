"""The process that checks submissions: reads them from standard input, writes what is wrong.

It is started by `proving.py` with an empty environment, and may be killed at any time.
"""

import os
import pickle
import resource
import sys
from typing import BinaryIO

import msgspec

from gateway.base.errors import Invalid
from gateway.contracts.admission import admit
from gateway.contracts.compatibility import wire


class Fault(msgspec.Struct):
    """What is wrong with a submission; an empty message is nothing."""

    message: str = ""
    pointer: str | None = None


def main(seconds: float, memory: int) -> None:
    """Answer until standard input ends, in at most so much time for each and bytes of memory."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    submissions, faults = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not look like an answer
    _send(faults, Fault())
    while header := submissions.read(wire.HEADER):
        used = resource.getrusage(resource.RUSAGE_SELF)
        most = int(used.ru_utime + used.ru_stime + seconds) + 2  # should its gateway have died
        resource.setrlimit(resource.RLIMIT_CPU, (most, resource.getrlimit(resource.RLIMIT_CPU)[1]))
        # The gateway itself wrote it.
        _send(faults, _fault(pickle.loads(submissions.read(wire.length(header)))))  # noqa: S301


def _fault(arguments: tuple[object, ...]) -> Fault:
    try:
        admit(*arguments)  # type: ignore[arg-type]  # the gateway sends what admit takes
    except Invalid as error:
        return Fault(str(error), error.pointer)
    except (MemoryError, RecursionError):
        return Fault("the schema goes too deep to be checked: simplify it")
    return Fault()


def _send(faults: BinaryIO, fault: Fault) -> None:
    faults.write(wire.framed(msgspec.json.encode(fault)))
    faults.flush()

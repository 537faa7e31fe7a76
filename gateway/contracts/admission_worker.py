"""The process that checks submissions: reads them from standard input, writes faults.

`admission_checker.py` starts it with an empty environment. It may be killed at any time.
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


class AdmissionFault(msgspec.Struct):
    """The fault of a submission; an empty message means none."""

    message: str = ""
    pointer: str | None = None


def main(seconds: float, memory: int) -> None:
    """Work until standard input ends: `seconds` of CPU for each submission, `memory` bytes."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    submissions, faults = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not look like a fault
    _send(faults, AdmissionFault())
    while header := submissions.read(wire.HEADER):
        used = resource.getrusage(resource.RUSAGE_SELF)
        limit = int(used.ru_utime + used.ru_stime + seconds) + 2  # ends it if its gateway died
        resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.getrlimit(resource.RLIMIT_CPU)[1]))
        # The gateway itself wrote it.
        _send(faults, _fault(pickle.loads(submissions.read(wire.length(header)))))  # noqa: S301


def _fault(arguments: tuple[object, ...]) -> AdmissionFault:
    try:
        admit(*arguments)  # type: ignore[arg-type]  # the gateway sends what admit takes
    except Invalid as error:
        return AdmissionFault(str(error), error.pointer)
    except (MemoryError, RecursionError):
        return AdmissionFault("The schema is too deep to be checked. Simplify it.")
    return AdmissionFault()


def _send(faults: BinaryIO, fault: AdmissionFault) -> None:
    faults.write(wire.framed(msgspec.json.encode(fault)))
    faults.flush()

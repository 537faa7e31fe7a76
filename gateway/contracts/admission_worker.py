"""The process that checks submissions: reads them from standard input, writes answers.

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


class AdmissionAnswer(msgspec.Struct):
    """What was found; an empty message means no fault."""

    message: str = ""
    pointer: str | None = None
    inline: dict[int, int] = {}
    """Of an admitted submission, the largest event of each version that is validated inline."""


def main(seconds: float, memory: int) -> None:
    """Work until standard input ends: `seconds` of CPU for each submission, `memory` bytes."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    submissions, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not look like an answer
    _send(answers, AdmissionAnswer())
    while header := submissions.read(wire.HEADER):
        used = resource.getrusage(resource.RUSAGE_SELF)
        limit = int(used.ru_utime + used.ru_stime + seconds) + 2  # ends it if its gateway died
        resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.getrlimit(resource.RLIMIT_CPU)[1]))
        # The gateway itself wrote it.
        _send(answers, _answer(pickle.loads(submissions.read(wire.length(header)))))  # noqa: S301


def _answer(arguments: tuple[object, ...]) -> AdmissionAnswer:
    try:
        inline = admit(*arguments)  # type: ignore[arg-type]  # the gateway sends what it takes
    except Invalid as error:
        return AdmissionAnswer(str(error), error.pointer)
    except (MemoryError, RecursionError):
        return AdmissionAnswer("The schema is too deep to be checked. Simplify it.")
    return AdmissionAnswer(inline=dict(inline))


def _send(answers: BinaryIO, answer: AdmissionAnswer) -> None:
    answers.write(wire.framed(msgspec.json.encode(answer)))
    answers.flush()

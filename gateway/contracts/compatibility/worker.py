"""The worker process: reads questions from standard input, writes verdicts to standard output.

It is started by `process.py` with an empty environment, and it holds nothing worth protecting.
"""

import os
import resource
import sys
from typing import BinaryIO

from gateway.contracts.compatibility import wire
from gateway.contracts.compatibility.deciding import decide
from gateway.contracts.compatibility.question import Question, Undecided, Verdict

_SPARE = 2  # seconds of CPU beyond the limit: a worker whose gateway died ends by itself


def main(seconds: float, memory: int) -> None:
    """Answer until standard input ends, in at most so many seconds each and bytes of memory."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    questions, verdicts = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not look like a verdict
    _send(verdicts, wire.READY)
    while header := questions.read(wire.HEADER):
        _bound_cpu(seconds)
        _answer(wire.decode_question(questions.read(wire.length(header))), verdicts)


def _answer(question: Question, verdicts: BinaryIO) -> None:
    verdict: Verdict = Undecided(question.direction, "nothing was found out")
    try:
        for verdict in decide(question):
            _send(verdicts, wire.encode_verdict(verdict, question.direction, final=False))
    except (MemoryError, RecursionError) as error:
        if isinstance(verdict, Undecided):
            reason = f"the comparison ended in {type(error).__name__}"
            verdict = Undecided(question.direction, reason, verdict.changes)
    _send(verdicts, wire.encode_verdict(verdict, question.direction, final=True))


def _bound_cpu(seconds: float) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    most = int(used.ru_utime + used.ru_stime + seconds) + _SPARE
    resource.setrlimit(resource.RLIMIT_CPU, (most, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def _send(verdicts: BinaryIO, body: bytes) -> None:
    verdicts.write(wire.framed(body))
    verdicts.flush()

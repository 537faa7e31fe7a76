"""The worker process: reads comparison tasks from standard input and writes the results.

`pool.py` starts it with an empty environment. It holds no secret and may be killed at any time.
"""

import os
import resource
import sys
from typing import BinaryIO

from gateway.contracts.compatibility import wire
from gateway.contracts.compatibility.comparing import compare
from gateway.contracts.compatibility.values import Comparison, ComparisonTask, Undecided

_SPARE = 2  # seconds of CPU beyond the limit: a worker whose gateway died ends by itself


def main(seconds: float, memory: int) -> None:
    """Work until standard input ends: `seconds` of CPU for each task, `memory` bytes in total."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    tasks, results = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not look like a result
    _send(results, wire.READY)
    while header := tasks.read(wire.HEADER):
        _limit_cpu(seconds)
        _run(wire.decode_task(tasks.read(wire.length(header))), results)


def _run(task: ComparisonTask, results: BinaryIO) -> None:
    result: Comparison = Undecided(task.direction, "The comparison gave no result.")
    try:
        for result in compare(task):
            _send(results, wire.encode_comparison(result, task.direction, final=False))
    except (MemoryError, RecursionError) as error:
        if isinstance(result, Undecided):
            reason = f"The comparison ended with {type(error).__name__}."
            result = Undecided(task.direction, reason, result.changes)
    _send(results, wire.encode_comparison(result, task.direction, final=True))


def _limit_cpu(seconds: float) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime + seconds) + _SPARE
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def _send(results: BinaryIO, body: bytes) -> None:
    results.write(wire.framed(body))
    results.flush()

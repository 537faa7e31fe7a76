"""The worker process: reads comparison tasks from standard input and writes the results.

`pool.py` starts it with an empty environment. It holds no secret and may be killed at any time.
"""

import signal

from gateway.contracts.compatibility import wire
from gateway.contracts.compatibility.comparing import compare
from gateway.contracts.compatibility.values import Comparison, ComparisonTask, Undecided
from gateway.contracts.framing import Channel


def main(_: float, memory: int) -> None:
    """Work until standard input ends, within `memory` bytes. Each task brings its CPU limit."""
    channel = Channel(memory)
    for body in channel.bodies():
        task = wire.decode_task(body)
        # Nothing in this process could interrupt the algebra: at the limit the kernel ends it.
        signal.setitimer(signal.ITIMER_PROF, task.seconds)
        _run(task, channel)
        signal.setitimer(signal.ITIMER_PROF, 0)


def _run(task: ComparisonTask, channel: Channel) -> None:
    result: Comparison = Undecided(task.direction, "The comparison gave no result.")
    try:
        for result in compare(task):
            channel.send(wire.encode_comparison(result, task.direction, final=False))
    except (MemoryError, RecursionError) as error:
        if isinstance(result, Undecided):
            reason = f"The comparison ended with {type(error).__name__}."
            result = Undecided(task.direction, reason, result.changes)
    channel.send(wire.encode_comparison(result, task.direction, final=True))

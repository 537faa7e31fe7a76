"""The process that checks submissions: reads them from standard input, writes answers.

`admission_checker.py` starts it with an empty environment. It may be killed at any time.
"""

import pickle

import msgspec

from gateway.base.errors import Invalid
from gateway.base.faults import Fault
from gateway.contracts.admission import admit
from gateway.contracts.framing import Channel, limit_cpu


class AdmissionAnswer(msgspec.Struct):
    """What was found; an empty message means no fault."""

    message: str = ""
    pointer: str | None = None
    faults: tuple[Fault, ...] = ()
    inline: dict[int, int] = {}
    """Of an admitted submission, the largest event of each version that is validated inline."""


def main(seconds: float, memory: int) -> None:
    """Work until standard input ends: `seconds` of CPU for each submission, `memory` bytes."""
    channel = Channel(memory)
    for body in channel.bodies():
        limit_cpu(seconds)
        answer = _answer(pickle.loads(body))  # noqa: S301  # the gateway itself wrote it
        channel.send(msgspec.json.encode(answer))


def _answer(arguments: tuple[object, ...]) -> AdmissionAnswer:
    try:
        inline = admit(*arguments)  # type: ignore[arg-type]  # the gateway sends what it takes
    except Invalid as error:
        return AdmissionAnswer(str(error), error.pointer, error.faults)
    except (MemoryError, RecursionError):
        return AdmissionAnswer("The schema is too deep to be checked. Simplify it.")
    return AdmissionAnswer(inline=dict(inline))

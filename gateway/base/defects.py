"""One policy for a defect: an exception that nobody expected costs the work that had it, alone.

What a stranger sends may reveal a defect, and what is stored may do so again at each attempt. So a
defect ends no process. The unit of work that had it fails and is tried again later, or is set
aside where it can be seen; everything else goes on (decision 0022).
"""

import traceback
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from prometheus_client import Counter

from gateway.base.errors import Unavailable
from gateway.base.telemetry import METRICS, log

DEFECTS = Counter(
    "nusabus_defects",
    "Unexpected exceptions, by the work that raised them",
    ["work"],
    registry=METRICS,
)
T = TypeVar("T")
REMEMBERED = 1000  # defects that were logged; above this they are forgotten, and logged again
_ROOT = str(Path(__file__).resolve().parents[2]) + "/"
_logged: set[tuple[str, str, str]] = set()


def report_defect(work: str, error: BaseException, **facts: object) -> None:
    """Count a defect, and log it with its trace the first time that this process meets it there.

    The text of an exception may quote what a stranger sent, and is left out. `facts` identify the
    unit of work, without data.
    """
    for each in _leaves(error):
        DEFECTS.labels(work).inc()
        trace = trace_of(each)
        met = (work, type(each).__name__, trace[-1] if trace else "")
        if met not in _logged:
            if len(_logged) >= REMEMBERED:
                _logged.clear()
            _logged.add(met)
            log().error("defect.found", work=work, error=met[1], trace=trace, **facts)


@contextmanager
def isolated(work: str, **facts: object) -> Iterator[None]:
    """A unit of work among others. A defect is reported, and ends the unit alone.

    `Unavailable` passes: the other units would meet the same outage.
    """
    try:
        yield
    except Unavailable:
        raise
    except Exception as error:
        report_defect(work, error, **facts)


def _is_outage(error: Exception) -> bool:
    return isinstance(error, Unavailable)


async def do_apart(
    units: Sequence[T],
    do: Callable[[Sequence[T]], Awaitable[object]],
    fail: Callable[[T, Exception], None],
    *,
    ends_all: Callable[[Exception], bool] = _is_outage,
) -> None:
    """Do something with all units at once, and in halves where it fails: each fails alone.

    `do` is safe to repeat. A unit with which it fails is given to `fail`, in the order of the
    units. Raises what `ends_all`; nothing is known then of the units that did not fail.
    """
    parts = deque([units])
    while parts:
        part = parts.popleft()
        try:
            await do(part)
        except Exception as error:
            if ends_all(error):
                raise
            if len(part) > 1:
                middle = len(part) // 2
                parts.extendleft((part[middle:], part[:middle]))
            else:
                fail(part[0], error)


async def each_alone(
    work: str, units: Sequence[T], do: Callable[[Sequence[T]], Awaitable[object]]
) -> list[T]:
    """The same; returns the units that fail, which is a defect and reported. Raises Unavailable."""
    failed: list[T] = []

    def fail(unit: T, error: Exception) -> None:
        report_defect(work, error)
        failed.append(unit)

    await do_apart(units, do, fail)
    return failed


def trace_of(error: BaseException) -> list[str]:
    """Where it was raised: file, line and function of each frame, without any value."""
    frames = traceback.extract_tb(error.__traceback__)
    return [f"{each.filename.removeprefix(_ROOT)}:{each.lineno} {each.name}" for each in frames]


def kind_of(error: BaseException) -> str:
    """The class of an error, which is all that may be told of it."""
    return type(first_of(error)).__name__


def first_of(error: BaseException) -> BaseException:
    """The error itself, or the first one in a group that is no group."""
    return next(_leaves(error))


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _leaves(each)
    else:
        yield error

"""Faults at the statements of a process: its end, or the end of a connection."""

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import asyncpg
import pytest


def die_before(statement: int) -> None:
    """Kill this process with SIGKILL before the given statement to any database, from 1."""
    left = statement

    def count(connection: "asyncpg.Connection[Any]", after: bool) -> None:
        nonlocal left
        left -= not after
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    _watch(pytest.MonkeyPatch(), count)


@contextmanager
def cut_at(statements: Sequence[tuple[int, bool]]) -> Iterator[list[int]]:
    """Cut connections, each so many statements after the last cut: before one, or after it.

    After it, a commit has happened and its answer is lost. Yields the statements that were cut.
    """
    left, cut, number = list(statements), list[int](), 0

    def count(connection: "asyncpg.Connection[Any]", after: bool) -> None:
        nonlocal number
        number += not after
        if left and number >= left[0][0] and after == left[0][1]:
            left.pop(0)
            cut.append(number)
            number = 0
            connection.terminate()
            raise ConnectionError("cut by the test")

    with pytest.MonkeyPatch.context() as patch:
        _watch(patch, count)
        yield cut


def _watch(patch: pytest.MonkeyPatch, count: Any) -> None:
    for name in ("execute", "fetch", "fetchrow", "fetchval"):
        original = getattr(asyncpg.Connection, name)

        def watched(original: Any) -> Any:
            async def call(connection: "asyncpg.Connection[Any]", *args: Any, **more: Any) -> Any:
                if _application(connection) != "projection":
                    return await original(connection, *args, **more)
                count(connection, False)
                answer = await original(connection, *args, **more)
                count(connection, True)
                return answer

            return call

        patch.setattr(asyncpg.Connection, name, watched(original))


def _application(connection: "asyncpg.Connection[Any]") -> object:
    """What the connection calls itself; those of the tests have no name."""
    return connection.get_settings().application_name

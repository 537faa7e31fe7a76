"""The library without asyncio."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from adapters.client.blocking import Blocking


class Items:
    """An asynchronous iterator that goes on after a pause."""

    def __init__(self, count: int) -> None:
        self._left = list(range(count))

    def __aiter__(self) -> "Items":
        return self

    async def __anext__(self) -> int:
        await asyncio.sleep(0)
        if not self._left:
            raise StopAsyncIteration
        return self._left.pop(0)


async def double(number: int) -> int:
    await asyncio.sleep(0)
    return 2 * number


async def fail() -> None:
    raise ValueError("no")


def test_calls_are_waited_for_and_what_was_entered_is_left() -> None:
    left: list[int] = []

    @asynccontextmanager
    async def connection(number: int) -> AsyncIterator[int]:
        yield number
        left.append(number)

    with Blocking() as wait:
        assert [wait.enter(connection(number)) for number in (1, 2)] == [1, 2]
        assert wait(double(21)) == 42
        with pytest.raises(ValueError, match="no"):
            wait(fail())
        items = Items(5)
        found = []
        for each in wait.each(items):
            found.append(wait(double(each)))
            if each == 2:
                break
        assert found == [0, 2, 4]
        assert list(wait.each(items)) == [3, 4], "what was not taken is still there"
        assert left == []
    assert left == [2, 1]

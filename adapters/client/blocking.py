"""The library for programs without asyncio: its calls run on an event loop in a thread."""

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, Self, TypeVar

T = TypeVar("T")


class Blocking:
    """Carries out what is asynchronous, and waits for it.

        with Blocking() as wait:
            bus = wait.enter(Nusabus(url, client_id, client_secret))
            receipt = wait(bus.publish(event))
            events = wait.enter(Subscriber(address, bus.access_token).receive("pemantauan"))
            for each in wait.each(events):
                wait(events.acknowledge(each))

    At the end everything that was entered is left.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._entered = AsyncExitStack()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self(self._entered.aclose())
            self(self._finish())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    async def _finish(self) -> None:
        """End what libraries have left behind."""
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await self._loop.shutdown_asyncgens()

    def __call__(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of a call; what it raises. An interrupted wait cancels it."""
        running = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return running.result()
        except BaseException:
            running.cancel()
            raise

    def enter(self, context: AbstractAsyncContextManager[T]) -> T:
        """Enter a connection or a receiver, until the end."""
        return self(self._entered.enter_async_context(context))

    def each(self, items: AsyncIterator[T]) -> Iterator[T]:
        """The items of an asynchronous iterator, one by one."""

        async def following() -> tuple[T] | None:
            async for item in items:
                return (item,)
            return None

        while (found := self(following())) is not None:
            yield found[0]

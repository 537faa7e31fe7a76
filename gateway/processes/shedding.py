"""Refuses what a process cannot take on, before it becomes a task (decision 0024)."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import msgspec

from gateway.http import problems
from gateway.http.admission import Shed
from gateway.http.body import declared_size
from gateway.http.entrance import Entrance
from gateway.processes.http_protocol import BoundedProtocol
from gateway.processes.http_refusal import Refusal, response

SWALLOWED = 256 << 10  # bytes of a body that are read for nobody, so that the connection stays
RETRY_AFTER = (1, 2, 3)  # seconds, in turns: those refused together do not come back together


@dataclass(frozen=True, slots=True)
class ShedAnswers:
    """The whole responses, made once."""

    _turns: Mapping[Shed, "cycle[bytes]"]

    @classmethod
    def made(cls, headers: bytes) -> "ShedAnswers":
        """With these header lines."""
        return cls({shed: cycle([_answer(shed, s, headers) for s in RETRY_AFTER]) for shed in Shed})

    def next(self, shed: Shed) -> bytes:
        """The next one."""
        return next(self._turns[shed])


def _answer(shed: Shed, seconds: int, headers: bytes) -> bytes:
    error = shed.error
    body = msgspec.json.encode(problems.describe(error))
    more = b"retry-after: %d\r\n" % seconds
    return response(problems.status_of(error), headers + more, problems.MEDIA_TYPE, body)


class SheddingProtocol(BoundedProtocol):
    """A request that is refused has no scope, task or body. The connection stays usable.

    Only the first request on a connection that has nothing else to answer is refused here; the
    application looks at the others.
    """

    def __init__(
        self, *arguments: Any, entrance: Entrance, answers: ShedAnswers, **more: Any
    ) -> None:
        super().__init__(*arguments, **more)
        self._entrance, self._answers = entrance, answers
        self._shed: Shed | None = None  # the request that is being read
        self._later: asyncio.TimerHandle | None = None  # its answer

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the answer."""
        if self._later is not None:
            self._later.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """The rest of a refused request must come as soon as headers must."""
        super().data_received(data)
        if self._shed is not None and self._later is None and not self.timeout_keep_alive_task:
            self._start_timer(self._limits.header_seconds, self.timeout_keep_alive_handler)

    def on_message_begin(self) -> None:
        """A request begins; the one before is answered first."""
        if self._later is not None:
            self._say_shed()
        super().on_message_begin()

    def on_body(self, body: bytes) -> None:
        """A part of the body, which is dropped if the request is refused."""
        if self._shed is None:
            super().on_body(body)
        else:
            self._fruitless = 0

    def on_message_complete(self) -> None:
        """The body is complete."""
        if self._shed is None:
            super().on_message_complete()
            return
        self._fruitless = 0
        delay = self._entrance.delay
        if delay:
            self.transport.pause_reading()
            self._unset_keepalive_if_required()
            self._later = self.loop.call_later(delay, self._say_shed)
        else:
            self._say_shed()

    def _turned_away(self) -> bool:
        method = self.parser.get_method()
        if self._unanswered or self._replaying or method == b"HEAD":
            return False
        self.scope["method"] = method.decode("ascii")
        self.scope["path"] = self.url.partition(b"?")[0].decode("latin-1")
        self._shed = self._entrance.shed(self.scope)  # type: ignore[arg-type]  # the names differ
        if self._shed is None:
            return False
        self._connections.spoke(self)
        if self._is_last():
            error, self._shed = self._shed.error, None
            raise Refusal(problems.status_of(error), error.code, str(error))
        return True

    def _is_last(self) -> bool:
        """Whether the connection has to end, because the body is not worth reading."""
        return (
            self._draining
            or self.expect_100_continue
            or not self.parser.should_keep_alive()
            or declared_size(self.headers) > SWALLOWED
            or any(name == b"transfer-encoding" for name, _ in self.headers)
        )

    def _say_shed(self) -> None:
        shed, self._shed = self._shed, None
        if self._later is not None:
            self._later.cancel()
            self._later = None
            self.transport.resume_reading()
        if shed is not None and not self.transport.is_closing():
            self.transport.write(self._answers.next(shed))
            self._start_timer(self.timeout_keep_alive, self.timeout_keep_alive_handler)

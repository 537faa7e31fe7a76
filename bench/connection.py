"""One HTTP connection of a load client. It costs a few microseconds for each answer."""

import asyncio
import re
from abc import abstractmethod
from typing import cast

END = b"\r\n\r\n"
"""What ends the head of an answer."""
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")


class Connection(asyncio.Protocol):
    """One request at a time; each answer is handed on when all of it has come."""

    def __init__(self) -> None:
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Gather the answer."""
        received = self._received + data if self._received else data
        end = received.find(END)
        length = _LENGTH.search(received, 0, end + 2) if end >= 0 else None
        if length is None or len(received) < end + len(END) + int(length[1]):
            self._received = received
            return
        self._received = b""
        self.answered(received, end)

    @abstractmethod
    def answered(self, answer: bytes, end: int) -> None:
        """An answer; `end` is where its head ends."""

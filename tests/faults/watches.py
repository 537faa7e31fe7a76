"""What the proxies read along: appends and their commits, and what the broker says to the relay."""

from collections import Counter
from collections.abc import Iterator
from struct import Struct

from tests.faults.proxy import Cut

_length = Struct(">I").unpack_from
_frame = Struct(">BHI").unpack_from
_method = Struct(">HH").unpack_from

APPEND = b"journal_append_rows("
SSL_REQUEST = 80877103
GREETING = b"AMQP\0\0\x09\x01"

# AMQP 0-9-1: class and method numbers.
METHODS = {
    (60, 80): "ack",
    (60, 120): "nack",
    (60, 50): "return",
    (10, 60): "blocked",
    (10, 61): "unblocked",
}


class ConnectionCutter:
    """Cuts the next connection that comes to a certain point, once, when armed."""

    def __init__(self) -> None:
        self.cuts = 0
        self._armed: str | None = None

    def arm(self, point: str) -> None:
        """Cut at the next chance."""
        self._armed = point

    def at(self, point: str) -> None:
        """The conversation has come to this point. Raises Cut where it is armed."""
        if self._armed == point:
            self._armed = None
            self.cuts += 1
            raise Cut


class AppendWatch:
    """A connection to PostgreSQL (frontend/backend protocol 3.0): is an append committed?

    A reply counts as the commit's when the server is ready again and outside of a transaction.
    """

    def __init__(self, cutter: ConnectionCutter) -> None:
        self._cutter = cutter
        self._up = b""
        self._down = b""
        self._greeted = False
        self._appends: set[bytes] = set()  # names of prepared statements
        self._pending = False

    def up(self, data: bytes) -> None:
        """Learn which statements append, and when one is run."""
        self._up += data
        while len(self._up) >= 5:
            head = 0 if not self._greeted else 1
            size = _length(self._up, head)[0] + head
            if len(self._up) < size:
                return
            kind, payload = self._up[:head], self._up[head + 4 : size]
            self._up = self._up[size:]
            if not self._greeted:
                assert _length(payload)[0] != SSL_REQUEST, "start the processes without TLS"
                self._greeted = True
            elif kind == b"P" and APPEND in payload:
                self._appends.add(payload.split(b"\0", 1)[0])
            elif kind == b"B" and payload.split(b"\0", 2)[1] in self._appends:
                self._pending = True
                self._cutter.at("before-commit")

    def down(self, data: bytes) -> None:
        """Find the end of the transaction."""
        self._down += data
        while len(self._down) >= 5:
            size = _length(self._down, 1)[0] + 1
            if len(self._down) < size:
                return
            kind, payload = self._down[:1], self._down[5:size]
            self._down = self._down[size:]
            if kind == b"E" or (kind == b"C" and payload.startswith(b"ROLLBACK")):
                self._pending = False
            elif kind == b"Z" and payload == b"I" and self._pending:
                self._pending = False
                self._cutter.at("after-commit")


class RelayWatch:
    """A relay's connection to the broker: what the broker answers to its publishes."""

    def __init__(self, cutter: ConnectionCutter, said: Counter[str]) -> None:
        self._cutter = cutter
        self._said = said
        self._frames = _Frames()

    def up(self, data: bytes) -> None:
        """Publishes pass."""

    def down(self, data: bytes) -> None:
        """Count what the broker says."""
        for name in self._frames.methods(data):
            self._said[name] += 1
            self._cutter.at(name)


class ConsumerWatch:
    """A consumer's connection to the broker: what it acknowledges."""

    def __init__(self, cutter: ConnectionCutter) -> None:
        self._cutter = cutter
        self._frames = _Frames(skip=len(GREETING))

    def up(self, data: bytes) -> None:
        """Find acknowledgements."""
        for name in self._frames.methods(data):
            self._cutter.at(name)

    def down(self, data: bytes) -> None:
        """Messages pass."""


class _Frames:
    """One direction of an AMQP connection, in pieces; `skip` bytes come before the first frame."""

    def __init__(self, skip: int = 0) -> None:
        self._data = b""
        self._skip = skip

    def methods(self, data: bytes) -> Iterator[str]:
        """The methods that are complete with these bytes, of those that have a name here."""
        self._data += data
        while len(self._data) >= self._skip + 8:
            self._data, self._skip = self._data[self._skip :], 0
            kind, _, size = _frame(self._data)
            if len(self._data) < size + 8:
                return
            number = _method(self._data, 7) if kind == 1 else None
            self._data = self._data[size + 8 :]
            if number in METHODS:
                yield METHODS[number]

"""HTTP as bytes on a socket, for what no client library would send."""

import socket
from dataclasses import dataclass

LENGTH = b"content-length"
SECONDS = 30


@dataclass(frozen=True)
class Reply:
    """A response as it came."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def closes(self) -> bool:
        """Whether it says that it is the last one on this connection."""
        return self.headers.get("connection") == "close"


class Wire:
    """One connection to a port of this machine, perhaps from another loopback address."""

    def __init__(self, port: int, *, source: str = "127.0.0.1") -> None:
        self.socket = socket.create_connection(
            ("127.0.0.1", port), timeout=SECONDS, source_address=(source, 0)
        )
        self._read = b""

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self.socket.close()

    def send(self, data: bytes) -> "Wire":
        """Send these bytes."""
        self.socket.sendall(data)
        return self

    def offer(self, piece: bytes, times: int) -> int:
        """Send a piece so many times, or until the other side wants no more; the bytes sent."""
        sent = 0
        try:
            for _ in range(times):
                self.socket.sendall(piece)
                sent += len(piece)
        except OSError:
            pass
        return sent

    def reply(self) -> Reply:
        """The next response. Raises ConnectionError where the connection ends before it."""
        head = self._until(b"\r\n\r\n")
        status_line, *lines = head.split(b"\r\n")
        pairs = [line.split(b":", 1) for line in lines if line]
        headers = {name.decode().lower(): value.decode().strip() for name, value in pairs}
        body = self._take(int(headers.get("content-length", "0")))
        return Reply(int(status_line.split()[1]), headers, body)

    def ended(self) -> bool:
        """Whether the other side closes now, without another byte. Waits for it."""
        if self._read:
            return False
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._read:
            self._more()
        head, _, self._read = self._read.partition(mark)
        return head

    def _take(self, count: int) -> bytes:
        while len(self._read) < count:
            self._more()
        body, self._read = self._read[:count], self._read[count:]
        return body

    def _more(self) -> None:
        data = self.socket.recv(1 << 16)
        if not data:
            raise ConnectionError(f"the connection ended; unread: {self._read[:200]!r}")
        self._read += data


def request(method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """A whole request. `content_length` may say more than there is."""
    lines = {"host": "bus", **{name.replace("_", "-"): value for name, value in headers.items()}}
    if body or method == "POST":
        lines.setdefault("content-length", str(len(body)))
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body

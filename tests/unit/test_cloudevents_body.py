"""Content codings: inflated up to the limit, and nothing but one coding."""

import gzip
import zlib

import pytest

from gateway.base.errors import Malformed, Refused, TooLarge, UnsupportedMediaType
from gateway.base.event import Event
from gateway.publishing.cloudevents import parse_request
from gateway.publishing.http_request import inflate
from tests.unit.cloudevents_requests import LIMITS, envelope

TEXT = b"setiap kejadian " * 100
LIMIT = len(TEXT)


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        (None, TEXT),
        (b"identity", TEXT),
        (b"gzip", gzip.compress(TEXT, mtime=0)),
        (b" GZIP ", gzip.compress(TEXT, mtime=0)),
        (b"x-gzip", gzip.compress(TEXT, mtime=0)),
        (b"deflate", zlib.compress(TEXT)),
    ],
)
def test_inflates_up_to_the_limit(encoding: bytes | None, body: bytes) -> None:
    assert inflate(encoding, body, LIMIT) == TEXT
    with pytest.raises(TooLarge, match=f"{LIMIT - 1} bytes"):
        inflate(encoding, body, LIMIT - 1)


@pytest.mark.parametrize(
    ("encoding", "body", "error", "says"),
    [
        (b"br", TEXT, UnsupportedMediaType, "gzip, deflate or none"),
        (
            b"gzip, gzip",
            gzip.compress(gzip.compress(TEXT, mtime=0), mtime=0),
            UnsupportedMediaType,
            "only one",
        ),
        (b"", TEXT, UnsupportedMediaType, "not supported"),
        (b"\xff", TEXT, UnsupportedMediaType, "not supported"),
        (b"gzip", TEXT, Malformed, "not gzip"),
        (b"gzip", zlib.compress(TEXT), Malformed, "not gzip"),
        (b"deflate", gzip.compress(TEXT, mtime=0), Malformed, "not deflate"),
        (b"deflate", zlib.compress(TEXT)[2:-4], Malformed, "not deflate"),
        (b"gzip", b"", Malformed, "ends too early"),
        (b"gzip", gzip.compress(TEXT, mtime=0)[:-1], Malformed, "ends too early"),
        (b"gzip", gzip.compress(TEXT, mtime=0)[:-1] + b"\x01", Malformed, "not gzip"),
        (b"gzip", gzip.compress(TEXT, mtime=0) + b"\x00", Malformed, "continues after its end"),
        (
            b"gzip",
            gzip.compress(TEXT, mtime=0) + gzip.compress(b"", mtime=0),
            Malformed,
            "continues after its end",
        ),
    ],
)
def test_refuses(encoding: bytes, body: bytes, error: type[Refused], says: str) -> None:
    with pytest.raises(error, match=says):
        inflate(encoding, body, LIMIT)


def test_a_bomb_is_not_inflated_beyond_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = gzip.compress(b"\0" * (64 << 20))
    held: list[int] = []
    real = zlib.decompressobj

    class Watched:
        def __init__(self, window: int) -> None:
            self._inner = real(window)

        def decompress(self, body: bytes, most: int) -> bytes:
            got = self._inner.decompress(body, most)
            held.append(len(got))
            return got

    monkeypatch.setattr(zlib, "decompressobj", Watched)
    with pytest.raises(TooLarge):
        inflate(b"gzip", bomb, 1 << 20)
    assert held == [(1 << 20) + 1]


def test_an_event_is_read_through_its_coding() -> None:
    pairs = [(b"content-type", b"application/cloudevents+json"), (b"content-encoding", b"gzip")]
    event = parse_request(pairs, gzip.compress(envelope()), LIMITS)
    assert isinstance(event, Event)
    assert event.id == "evt-1"

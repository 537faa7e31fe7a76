"""What holds for every request: refused or read, never anything else, and alike in all modes."""

import gzip
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.base.errors import Refused
from gateway.base.event import Event
from gateway.base.invisible import invisible_character
from gateway.publishing.cloudevents import Batch, Limits, parse_request
from tests.unit.cloudevents_requests import LIMITS, batched, binary, envelope, structured

CONTENT_TYPES = st.sampled_from(
    [
        b"application/cloudevents+json",
        b"application/cloudevents-batch+json",
        b"application/json",
        b"text/plain; charset=latin-1",
    ]
)
NAMES = st.sampled_from(
    [b"content-type", b"content-encoding", b"ce-id", b"ce-source", b"ce-type", b"ce-time", b"ce-x_"]
)
VALUES = CONTENT_TYPES | st.binary(max_size=20) | st.sampled_from([b"gzip", b"1.0", b"/a"])
FRAGMENTS = st.sampled_from(
    [b"{", b"}", b"[", b"]", b",", b":", b'"', b'"id"', b'"specversion":"1.0"', b'"data":', b"1.5",
     b"\\ud800", b"null", b"\xff", b" ", b'"source":"/a"', b'"type":"t"', b'"data_base64":"AA=="']
)  # fmt: skip
BODIES = st.binary(max_size=60) | st.lists(FRAGMENTS, max_size=20).map(b"".join)


@given(pairs=st.lists(st.tuples(NAMES, VALUES), max_size=6), body=BODIES, packed=st.booleans())
def test_whatever_comes_is_read_or_refused(
    pairs: list[tuple[bytes, bytes]], body: bytes, packed: bool
) -> None:
    try:
        read = parse_request(pairs, gzip.compress(body) if packed else body, Limits(100, 200, 5))
    except Refused:
        return
    items = read.items if isinstance(read, Batch) else (read,)
    assert all(isinstance(each, Event | Refused) for each in items)


@given(content_type=CONTENT_TYPES, body=BODIES, cut=st.integers(0, 60))
def test_a_damaged_event_is_read_or_refused(content_type: bytes, body: bytes, cut: int) -> None:
    text = envelope(b'{"a":[1]}', ext=5)
    damaged = text[:cut] + body + text[cut + 3 :]
    try:
        parse_request([(b"content-type", content_type)], b"[" + damaged + b"]", LIMITS)
        parse_request([(b"content-type", content_type)], damaged, LIMITS)
    except Refused:
        pass


TEXT = st.text(
    st.characters(
        exclude_categories=("Cc", "Cs"),
        exclude_characters=[
            chr(plane + last) for plane in range(0, 0x110000, 0x10000) for last in (0xFFFE, 0xFFFF)
        ]
        + [chr(code) for code in range(0xFDD0, 0xFDF0)],
    ),
    min_size=1,
    max_size=30,
).filter(lambda text: invisible_character(text) is None)
# A header value is trimmed by every server, and a leading quote begins a quoted string:
# the encoder has to percent-encode both, and this says that it is enough.
EXTENSIONS = st.dictionaries(
    st.from_regex(r"x[a-z0-9]{1,10}", fullmatch=True),
    TEXT | st.booleans() | st.integers(-(2**31), 2**31 - 1),
    max_size=4,
)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda below: (
        st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=3), below, max_size=3)
    ),
    max_leaves=6,
)


@given(id=TEXT, subject=TEXT | st.none(), extensions=EXTENSIONS, document=DOCUMENTS)
def test_every_mode_gives_the_same_digest(
    id: str, subject: str | None, extensions: dict[str, Any], document: Any
) -> None:
    data = json.dumps(document).encode()
    attributes: dict[str, Any] = {"id": id, "subject": subject, **extensions}
    text = envelope(data, **attributes)
    one, two = structured(text), binary(data, **attributes)
    (three,) = batched(text).items
    assert isinstance(three, Event)
    assert one.digest == two.digest == three.digest
    assert (one.id, one.subject, one.data) == (two.id, two.subject, two.data) == (id, subject, data)
    assert one.ordering_key == two.ordering_key

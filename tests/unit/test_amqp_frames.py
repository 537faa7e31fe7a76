"""What is packed by hand must read as what it was made of."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import body, commands, frame, header

from gateway.broker.frames import FRAME_OVERHEAD, Marshaller
from gateway.broker.message import CONTENT_TYPE, OutgoingMessage

FRAME_MAX = 4096
short = st.text(st.characters(codec="utf-8", categories=("L", "N")), max_size=60)
names = st.from_regex(r"[a-zA-Z0-9._-]{1,40}", fullmatch=True)
messages = st.builds(
    OutgoingMessage,
    exchange=names,
    routing_key=short,
    mandatory=st.booleans(),
    bcc=st.lists(short, max_size=3).map(tuple),
    body=st.binary(max_size=9000),
    message_id=short.filter(bool),
    headers=st.dictionaries(
        names.filter(lambda name: name != "BCC"),
        st.text(st.characters(codec="utf-8"), max_size=60),
        max_size=12,
    ),
    token=st.none(),
    expiration=st.just(""),
    correlation_id=st.just(""),
)
requests = st.builds(
    lambda message, ttl, correlation: message._replace(
        expiration=str(ttl), correlation_id=correlation
    ),
    messages,
    st.integers(1, 86_400_000),
    short,
)


def a_message(**changes: object) -> OutgoingMessage:
    plain = OutgoingMessage("bus.events", "id.go.a.v1", True, (), b"{}", "1", {"ce-id": "1"}, None)
    return plain._replace(**changes)  # type: ignore[arg-type]  # a builder for tests


def frames_of(data: bytes, channel: int) -> list[frame.FrameTypes]:
    found = []
    while data:
        size, number, value = frame.unmarshal(data)
        assert number == channel
        assert size <= FRAME_MAX
        found.append(value)
        data = data[size:]
    return found


def read(frames: list[frame.FrameTypes]) -> list[OutgoingMessage]:
    """The messages that pamqp finds."""
    found = []
    rest = iter([*frames, None])
    publish = next(rest)
    while isinstance(publish, commands.Basic.Publish):
        head, data = next(rest), b""
        assert isinstance(head, header.ContentHeader)
        while isinstance(value := next(rest), body.ContentBody):
            data += value.value
        found.append(message_of(publish, head, data))
        publish = value
    assert publish is None
    return found


def message_of(
    publish: commands.Basic.Publish, head: header.ContentHeader, data: bytes
) -> OutgoingMessage:
    assert head.body_size == len(data)
    assert head.properties.content_type == CONTENT_TYPE
    assert head.properties.delivery_mode == 2
    headers = dict(head.properties.headers or {})
    return OutgoingMessage(
        exchange=publish.exchange,
        routing_key=publish.routing_key,
        mandatory=publish.mandatory,
        bcc=tuple(headers.pop("BCC", [])),  # type: ignore[arg-type]  # a field table's value
        body=data,
        message_id=head.properties.message_id or "",
        headers=headers,  # type: ignore[arg-type]  # a field table's values
        token=None,
        expiration=head.properties.expiration or "",
        correlation_id=head.properties.correlation_id or "",
    )


@given(batch=st.lists(messages | requests, max_size=5), channel=st.integers(1, 65535))
def test_frames_read_as_the_messages_they_carry(batch: list[OutgoingMessage], channel: int) -> None:
    data = Marshaller(channel, FRAME_MAX).marshal(batch)
    assert read(frames_of(data, channel)) == batch


@pytest.mark.parametrize("beyond", [-1, 0, 1])
def test_a_body_is_split_where_a_frame_ends(beyond: int) -> None:
    message = a_message(body=b"x" * (2 * (FRAME_MAX - FRAME_OVERHEAD) + beyond))
    found = frames_of(Marshaller(1, FRAME_MAX).marshal([message]), 1)
    assert len([value for value in found if isinstance(value, body.ContentBody)]) == (
        3 if beyond > 0 else 2
    )
    assert read(found) == [message]


def test_without_a_limit_nothing_is_split() -> None:
    message = a_message(body=b"x" * 1_000_000)
    assert len(Marshaller(1, 0).marshal([message])) < 1_000_200


@pytest.mark.parametrize(
    "changes",
    [
        {"routing_key": "k" * 256},
        {"message_id": "m" * 256},
        {"headers": {"n" * 256: "v"}},
        {"headers": {"n": "v" * FRAME_MAX}},
        {"bcc": ("k" * FRAME_MAX,)},
    ],
)
def test_what_fits_no_frame_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="bytes"):
        Marshaller(1, FRAME_MAX).marshal([a_message(), a_message(**changes)])


def test_what_is_remembered_stays_bounded() -> None:
    marshaller = Marshaller(1, FRAME_MAX)
    for number in range(10_000):
        message = a_message(routing_key=f"k{number}", headers={f"n{number}": "v"})
        data = marshaller.marshal([message])
    assert read(frames_of(data, 1)) == [message]
    assert len(marshaller._publishes) <= 4096
    assert len(marshaller._names) <= 4096

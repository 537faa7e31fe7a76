"""Confirms by watermark, and returns matched to their publish."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.broker.message import OutgoingMessage
from gateway.broker.pending_confirms import ConfirmOutcome, ConfirmResult, PendingConfirms

CONFIRMED, NACKED, RETURNED, _ = ConfirmOutcome


def a_message(token: object, **changes: object) -> OutgoingMessage:
    plain = OutgoingMessage("bus.events", "id.go.a.v1", True, (), b"{}", "1", {"ce-id": "1"}, token)
    return plain._replace(**changes)  # type: ignore[arg-type]  # a builder for tests


def pending_confirms(*messages: OutgoingMessage) -> PendingConfirms:
    confirms = PendingConfirms()
    confirms.add(messages)
    return confirms


def settle(
    confirms: PendingConfirms, tag: int, multiple: bool = False, acked: bool = True
) -> list[ConfirmResult]:
    results: list[ConfirmResult] = []
    confirms.settle(tag, multiple, acked, results)
    return results


def mark_returned(confirms: PendingConfirms, message: OutgoingMessage) -> bool:
    return confirms.mark_returned(
        message.exchange, message.routing_key, message.message_id, dict(message.headers)
    )


def test_an_ack_settles_one_and_multiple_all_up_to_it() -> None:
    confirms = pending_confirms(*map(a_message, "abcde"))
    assert settle(confirms, 2) == [("b", CONFIRMED)]
    assert confirms.oldest == 1
    assert settle(confirms, 4, multiple=True) == [
        ("a", CONFIRMED), ("c", CONFIRMED), ("d", CONFIRMED),
    ]  # fmt: skip
    assert confirms.oldest == 5
    assert settle(confirms, 5, acked=False) == [("e", NACKED)]
    assert len(confirms) == 0


def test_what_is_settled_or_was_never_sent_settles_nothing() -> None:
    confirms = pending_confirms(a_message("a"))
    assert settle(confirms, 1) == [("a", CONFIRMED)]
    assert settle(confirms, 1) == []
    assert settle(confirms, 1, multiple=True) == []
    assert settle(confirms, 9) == []
    assert settle(confirms, 9, multiple=True) == []
    confirms.add([a_message("b")])
    assert settle(confirms, 2) == [("b", CONFIRMED)]


def test_tag_zero_with_multiple_is_all() -> None:
    confirms = pending_confirms(*map(a_message, "ab"))
    assert settle(confirms, 0, multiple=True) == [("a", CONFIRMED), ("b", CONFIRMED)]


@given(data=st.data(), size=st.integers(1, 60))
def test_every_message_is_settled_once_by_what_the_broker_says(
    data: st.DataObject, size: int
) -> None:
    confirms = pending_confirms(*(a_message(tag) for tag in range(1, size + 1)))
    pending = set(range(1, size + 1))
    while pending:
        tag = data.draw(st.sampled_from(sorted(pending)))
        multiple, acked = data.draw(st.booleans()), data.draw(st.booleans())
        covered = sorted(each for each in pending if each == tag or (multiple and each < tag))
        outcome = CONFIRMED if acked else NACKED
        assert settle(confirms, tag, multiple, acked) == [(each, outcome) for each in covered]
        pending -= set(covered)
        assert len(confirms) == len(pending)
        assert confirms.oldest == min(pending, default=size + 1)


def test_a_return_belongs_to_the_oldest_that_is_alike() -> None:
    """Messages with one id in flight at once: told apart by where they went and their headers."""
    elsewhere = a_message("elsewhere", routing_key="id.go.b.v1")
    replayed = a_message("replayed", exchange="bus.commands")
    later = a_message("later", headers={"ce-id": "1", "ce-sequence": "2"})
    optional = a_message("optional", mandatory=False)
    first, second = a_message("first"), a_message("second")
    confirms = pending_confirms(optional, elsewhere, later, first, replayed, second)
    assert mark_returned(confirms, later)
    assert mark_returned(confirms, a_message("?"))
    assert settle(confirms, 6, multiple=True) == [
        ("optional", CONFIRMED), ("elsewhere", CONFIRMED), ("later", RETURNED),
        ("first", RETURNED), ("replayed", CONFIRMED), ("second", CONFIRMED),
    ]  # fmt: skip


def test_returns_follow_the_order_of_their_publishes() -> None:
    confirms = pending_confirms(*map(a_message, "abc"))
    assert mark_returned(confirms, a_message("?"))
    assert mark_returned(confirms, a_message("?"))
    assert settle(confirms, 3, multiple=True) == [
        ("a", RETURNED), ("b", RETURNED), ("c", CONFIRMED),
    ]  # fmt: skip


def test_headers_that_the_broker_added_do_not_hide_a_message() -> None:
    confirms = pending_confirms(a_message("a"))
    assert confirms.mark_returned(
        "bus.events", "id.go.a.v1", "1", {"ce-id": "1", "timestamp_in_ms": 5}
    )


def test_a_return_that_matches_nothing_is_reported() -> None:
    confirms = pending_confirms(a_message("a"))
    assert not confirms.mark_returned("bus.events", "id.go.a.v1", "2", {"ce-id": "2"})
    settle(confirms, 1)
    assert not mark_returned(confirms, a_message("?"))


def test_a_nack_of_a_returned_message_is_a_nack() -> None:
    confirms = pending_confirms(a_message("a"))
    assert mark_returned(confirms, a_message("?"))
    assert settle(confirms, 1, acked=False) == [("a", NACKED)]

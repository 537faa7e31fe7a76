"""The relay's window: the cursor, one message per key on its way, refusals and returns."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.base.errors import BrokerUnavailable
from gateway.broker import ConfirmOutcome, OutgoingMessage
from gateway.journal import Cursor
from gateway.relay.in_flight import ATTEMPTS, InFlight, InFlightWindow, settle
from tests.builders import an_outgoing

START = Cursor(100)


def a_window(entries: int = 100, size: int = 1 << 20) -> InFlightWindow:
    return InFlightWindow(START, entries=entries, size=size)


def add(window: InFlightWindow, sequence: int, key: str, body: bytes = b"{}") -> InFlight:
    ticket = InFlight(window, Cursor(sequence), key)
    ticket.message = an_outgoing(ticket, body=body)
    window.add(ticket)
    return ticket


def tickets(messages: list[OutgoingMessage]) -> list[InFlight]:
    """The tokens of messages that were taken."""
    return [each.token for each in messages if isinstance(each.token, InFlight)]


def confirm(window: InFlightWindow, *sent: InFlight) -> None:
    for ticket in sent:
        window.settle(ticket, ConfirmOutcome.CONFIRMED)


def test_the_cursor_stops_below_the_first_that_is_open() -> None:
    window = a_window()
    first, second, third = (add(window, 100 + n, f"key {n}") for n in (1, 2, 3))
    window.take()
    confirm(window, third, second)
    assert window.cursor == START
    confirm(window, first)
    assert window.cursor == Cursor(103)
    assert len(window) == 0


def test_one_of_a_key_is_on_its_way() -> None:
    window = a_window()
    a1, a2, b1 = add(window, 101, "a"), add(window, 102, "a"), add(window, 103, "b")
    assert tickets(window.take()) == [a1, b1]
    assert window.take() == []
    confirm(window, b1)
    assert window.take() == []
    confirm(window, a1)
    assert tickets(window.take()) == [a2]


def test_a_request_is_sent_with_the_time_that_is_left_and_never_after_its_deadline() -> None:
    window = a_window()
    in_time, late, behind = (add(window, 100 + n, key) for n, key in ((1, "a"), (2, "b"), (3, "b")))
    in_time.until = datetime.now(UTC) + timedelta(seconds=60)
    late.until = datetime.now(UTC) - timedelta(milliseconds=1)
    sent = window.take()
    assert tickets(sent) == [in_time, behind]
    assert 0 < int(sent[0].expiration) <= 60_000
    assert sent[1].expiration == ""
    in_time.message = an_outgoing(in_time, expiration="7")
    window.resend(in_time)
    assert window.take()[0].expiration == "7"
    in_time.until = datetime.now(UTC)
    window.resend(in_time)
    assert window.take() == []
    confirm(window, behind)
    assert (window.cursor, len(window), window.sent) == (Cursor(103), 0, 3)


def test_what_nobody_gets_moves_the_cursor_in_its_turn() -> None:
    window = a_window()
    window.skip(Cursor(101))
    assert window.cursor == Cursor(101)
    ticket = add(window, 102, "a")
    window.skip(Cursor(103))
    assert window.cursor == Cursor(101)
    window.take()
    confirm(window, ticket)
    assert window.cursor == Cursor(103)


def test_room_by_number_and_by_size() -> None:
    window = a_window(entries=3, size=100)
    assert window.room == 3
    ticket = add(window, 101, "a", b"x" * 99)
    assert window.room == 2
    add(window, 102, "b", b"x")
    assert window.room == 0
    window.take()
    confirm(window, ticket)
    assert window.room == 2


async def test_a_refused_message_is_sent_again_before_its_successor() -> None:
    window = a_window()
    first, second = add(window, 101, "a"), add(window, 102, "a")
    window.take()
    window.settle(first, ConfirmOutcome.NACKED)
    assert (window.nacked, first.attempts) == (1, 1)
    assert window.take() == []
    window.resend(first)
    assert tickets(window.take()) == [first]
    confirm(window, first)
    assert tickets(window.take()) == [second]


async def test_a_message_refused_for_long_asks_for_a_new_channel() -> None:
    window = a_window()
    first = add(window, 101, "a")
    for _ in range(ATTEMPTS):
        window.take()
        window.settle(first, ConfirmOutcome.NACKED)
        window.resend(first)
    with pytest.raises(BrokerUnavailable, match="new channel"):
        window.take()


def test_a_returned_message_holds_its_key_until_it_is_forgiven() -> None:
    window = a_window()
    first, second = add(window, 101, "a"), add(window, 102, "a")
    settle([(ticket, ConfirmOutcome.RETURNED) for ticket in tickets(window.take())])
    assert window.returned == [first]
    assert window.take() == []
    window.forgive([first])
    assert window.cursor == Cursor(101)
    assert tickets(window.take()) == [second]


# New routes


def keep(message: OutgoingMessage) -> OutgoingMessage:
    return message


def drop(_: OutgoingMessage) -> None:
    return None


def test_only_what_was_not_sent_is_routed_anew() -> None:
    window = a_window()
    sent, waiting = add(window, 101, "a"), add(window, 102, "a")
    window.take()
    unsent = add(window, 103, "b")
    window.reroute(lambda message: message._replace(bcc=("new",)))
    messages = [each.message for each in (sent, waiting, unsent)]
    assert [each.bcc for each in messages if each is not None] == [(), ("new",), ("new",)]


def test_what_is_dropped_settles_in_its_turn() -> None:
    window = a_window()
    sent = add(window, 101, "a")
    window.take()
    for sequence, key in ((102, "a"), (103, "b"), (104, "a"), (105, "b")):
        add(window, sequence, key, b"x" * 50)
    window.reroute(drop)
    late = add(window, 106, "a")
    assert window.take() == []
    assert window.cursor == START
    confirm(window, sent)
    assert window.cursor == Cursor(105)
    assert tickets(window.take()) == [late]
    confirm(window, late)
    assert (window.cursor, len(window), window.room) == (Cursor(106), 0, 100)


async def test_what_was_refused_and_is_dropped_is_not_sent_again() -> None:
    window = a_window()
    refused, behind = add(window, 101, "a"), add(window, 102, "a")
    window.take()
    window.settle(refused, ConfirmOutcome.NACKED)
    window.reroute(lambda message: None if message is refused.message else message)
    window.resend(refused)
    assert window.cursor == Cursor(101)
    assert tickets(window.take()) == [behind]


@given(st.data())
def test_whatever_happens_keys_keep_their_order_and_the_cursor_its_promise(
    data: st.DataObject,
) -> None:
    window = a_window(entries=1000)
    sequence, on_the_way = START.sequence, list[InFlight]()
    confirmed: list[InFlight] = []
    for _ in range(data.draw(st.integers(1, 40))):
        match data.draw(st.sampled_from(["add", "skip", "take", "confirm", "return", "drop"])):
            case "add":
                sequence += 1
                add(window, sequence, data.draw(st.sampled_from("abc")))
            case "skip":
                sequence += 1
                window.skip(Cursor(sequence))
            case "take":
                on_the_way += tickets(window.take())
                assert len({ticket.key for ticket in on_the_way}) == len(on_the_way)
            case "drop":
                kept = data.draw(st.sampled_from([keep, drop]))
                window.reroute(kept)
            case outcome if on_the_way:
                ticket = on_the_way.pop(data.draw(st.integers(0, len(on_the_way) - 1)))
                if outcome == "confirm":
                    confirm(window, ticket)
                    confirmed.append(ticket)
                else:
                    window.settle(ticket, ConfirmOutcome.RETURNED)
                    returned, window.returned = window.returned, []
                    window.forgive(returned)
        assert all(ticket.position.sequence > window.cursor.sequence for ticket in on_the_way)
    while on_the_way := on_the_way + tickets(window.take()):
        confirmed += on_the_way
        confirm(window, *on_the_way)
        on_the_way = []
    for key in "abc":
        order = [t.position.sequence for t in confirmed if t.key == key]
        assert order == sorted(order)
    assert window.cursor.sequence == sequence
    assert len(window) == 0

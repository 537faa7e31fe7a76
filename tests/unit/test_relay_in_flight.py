"""The in-flight window: its cursor, one message per key on its way, refusals and returns."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.base.errors import BrokerUnavailable
from gateway.broker import ConfirmOutcome, OutgoingMessage
from gateway.journal import Cursor
from gateway.relay.in_flight import ATTEMPTS, InFlight, InFlightWindow, apply_results
from tests.builders import an_outgoing_message

START = Cursor(100)
ALL = 1000


def a_window(entries: int = 100, size: int = 1 << 20) -> InFlightWindow:
    return InFlightWindow(START, entries=entries, size=size)


def add(window: InFlightWindow, sequence: int, key: str, body: bytes = b"{}") -> InFlight:
    entry = InFlight(window, Cursor(sequence), key)
    entry.message = an_outgoing_message(entry, body=body)
    window.add(entry)
    return entry


def entries_of(messages: list[OutgoingMessage]) -> list[InFlight]:
    """The tokens of messages that were taken."""
    return [each.token for each in messages if isinstance(each.token, InFlight)]


def confirm(window: InFlightWindow, *sent: InFlight) -> None:
    for entry in sent:
        window.apply(entry, ConfirmOutcome.CONFIRMED)


def test_the_cursor_stops_below_the_first_that_is_not_settled() -> None:
    window = a_window()
    first, second, third = (add(window, 100 + n, f"key {n}") for n in (1, 2, 3))
    window.take_ready(ALL)
    confirm(window, third, second)
    assert window.cursor == START
    confirm(window, first)
    assert window.cursor == Cursor(103)
    assert len(window) == 0


def test_one_of_a_key_is_on_its_way() -> None:
    window = a_window()
    a1, a2, b1 = add(window, 101, "a"), add(window, 102, "a"), add(window, 103, "b")
    assert entries_of(window.take_ready(ALL)) == [a1, b1]
    assert window.take_ready(ALL) == []
    confirm(window, b1)
    assert window.take_ready(ALL) == []
    confirm(window, a1)
    assert entries_of(window.take_ready(ALL)) == [a2]


def test_a_request_is_sent_with_the_time_that_is_left_and_never_after_its_deadline() -> None:
    window = a_window()
    in_time, late, behind = (add(window, 100 + n, key) for n, key in ((1, "a"), (2, "b"), (3, "b")))
    in_time.deadline = datetime.now(UTC) + timedelta(seconds=60)
    late.deadline = datetime.now(UTC) - timedelta(milliseconds=1)
    sent = window.take_ready(ALL)
    assert entries_of(sent) == [in_time, behind]
    assert 0 < int(sent[0].expiration) <= 60_000
    assert sent[1].expiration == ""
    in_time.message = an_outgoing_message(in_time, expiration="7")
    window.resend(in_time)
    assert window.take_ready(ALL)[0].expiration == "7"
    in_time.deadline = datetime.now(UTC)
    window.resend(in_time)
    assert window.take_ready(ALL) == []
    confirm(window, behind)
    assert (window.cursor, len(window), window.sent_count) == (Cursor(103), 0, 3)


def test_a_skipped_entry_moves_the_cursor_in_its_turn() -> None:
    window = a_window()
    window.skip(Cursor(101))
    assert window.cursor == Cursor(101)
    entry = add(window, 102, "a")
    window.skip(Cursor(103))
    assert window.cursor == Cursor(101)
    window.take_ready(ALL)
    confirm(window, entry)
    assert window.cursor == Cursor(103)


def test_free_by_number_and_by_size() -> None:
    window = a_window(entries=3, size=100)
    assert window.free == 3
    entry = add(window, 101, "a", b"x" * 99)
    assert window.free == 2
    add(window, 102, "b", b"x")
    assert window.free == 0
    window.take_ready(ALL)
    confirm(window, entry)
    assert window.free == 2


async def test_a_refused_message_is_sent_again_before_its_successor() -> None:
    window = a_window()
    first, second = add(window, 101, "a"), add(window, 102, "a")
    window.take_ready(ALL)
    window.apply(first, ConfirmOutcome.NACKED)
    assert (window.refused_count, first.attempts) == (1, 1)
    assert window.take_ready(ALL) == []
    window.resend(first)
    assert entries_of(window.take_ready(ALL)) == [first]
    confirm(window, first)
    assert entries_of(window.take_ready(ALL)) == [second]


async def test_a_message_refused_for_long_asks_for_a_new_channel() -> None:
    window = a_window()
    first = add(window, 101, "a")
    for _ in range(ATTEMPTS):
        window.take_ready(ALL)
        window.apply(first, ConfirmOutcome.NACKED)
        window.resend(first)
    with pytest.raises(BrokerUnavailable, match="new channel"):
        window.take_ready(ALL)


def test_a_returned_message_holds_its_key_until_it_is_settled() -> None:
    window = a_window()
    first, second = add(window, 101, "a"), add(window, 102, "a")
    apply_results(
        [(entry, ConfirmOutcome.RETURNED) for entry in entries_of(window.take_ready(ALL))]
    )
    assert window.returned == [first]
    assert window.take_ready(ALL) == []
    window.settle([first])
    assert window.cursor == Cursor(101)
    assert entries_of(window.take_ready(ALL)) == [second]


# New routes


def keep(message: OutgoingMessage) -> OutgoingMessage:
    return message


def drop(_: OutgoingMessage) -> None:
    return None


def test_only_messages_that_are_not_sent_are_rerouted() -> None:
    window = a_window()
    sent, waiting = add(window, 101, "a"), add(window, 102, "a")
    window.take_ready(ALL)
    unsent = add(window, 103, "b")
    window.reroute(lambda message: message._replace(bcc=("new",)))
    messages = [each.message for each in (sent, waiting, unsent)]
    assert [each.bcc for each in messages if each is not None] == [(), ("new",), ("new",)]


def test_a_dropped_entry_settles_in_its_turn() -> None:
    window = a_window()
    sent = add(window, 101, "a")
    window.take_ready(ALL)
    for sequence, key in ((102, "a"), (103, "b"), (104, "a"), (105, "b")):
        add(window, sequence, key, b"x" * 50)
    window.reroute(drop)
    late = add(window, 106, "a")
    assert window.take_ready(ALL) == []
    assert window.cursor == START
    confirm(window, sent)
    assert window.cursor == Cursor(105)
    assert entries_of(window.take_ready(ALL)) == [late]
    confirm(window, late)
    assert (window.cursor, len(window), window.free) == (Cursor(106), 0, 100)


async def test_a_refused_message_that_is_dropped_is_not_sent_again() -> None:
    window = a_window()
    refused, behind = add(window, 101, "a"), add(window, 102, "a")
    window.take_ready(ALL)
    window.apply(refused, ConfirmOutcome.NACKED)
    window.reroute(lambda message: None if message is refused.message else message)
    window.resend(refused)
    assert window.cursor == Cursor(101)
    assert entries_of(window.take_ready(ALL)) == [behind]


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
                on_the_way += entries_of(window.take_ready(ALL))
                assert len({entry.ordering_key for entry in on_the_way}) == len(on_the_way)
            case "drop":
                kept = data.draw(st.sampled_from([keep, drop]))
                window.reroute(kept)
            case outcome if on_the_way:
                entry = on_the_way.pop(data.draw(st.integers(0, len(on_the_way) - 1)))
                if outcome == "confirm":
                    confirm(window, entry)
                    confirmed.append(entry)
                else:
                    window.apply(entry, ConfirmOutcome.RETURNED)
                    returned, window.returned = window.returned, []
                    window.settle(returned)
        assert all(entry.cursor.sequence > window.cursor.sequence for entry in on_the_way)
    while on_the_way := on_the_way + entries_of(window.take_ready(ALL)):
        confirmed += on_the_way
        confirm(window, *on_the_way)
        on_the_way = []
    for key in "abc":
        order = [t.cursor.sequence for t in confirmed if t.ordering_key == key]
        assert order == sorted(order)
    assert window.cursor.sequence == sequence
    assert len(window) == 0

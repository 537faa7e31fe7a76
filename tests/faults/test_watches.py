"""What the proxies read along, whatever the pieces in which it arrives; and the plan of a run."""

import struct
from collections import Counter
from collections.abc import Callable

import pytest

from tests.faults.catalogue import FAULTS, a_round
from tests.faults.proxy import Cut
from tests.faults.seeded_bugs import BUGS
from tests.faults.watches import (
    APPEND,
    GREETING,
    AppendWatch,
    ConnectionCutter,
    ConsumerWatch,
    RelayWatch,
)

STARTUP = struct.pack(">II", 8, 196608)
PARSE = b"stmt_1\0SELECT * FROM " + APPEND + b"$1)\0\0\0"
BIND = b"\0stmt_1\0" + bytes(6)


def message(kind: bytes, payload: bytes) -> bytes:
    """A message of PostgreSQL's protocol."""
    return kind + struct.pack(">I", len(payload) + 4) + payload


def method(number: int, name: int) -> bytes:
    """A method frame of AMQP on channel 1."""
    payload = struct.pack(">HH", number, name) + bytes(9)
    return struct.pack(">BHI", 1, 1, len(payload)) + payload + b"\xce"


def feed(into: Callable[[bytes], None], data: bytes, size: int) -> None:
    """Let data arrive in pieces."""
    for at in range(0, len(data), size):
        into(data[at : at + size])


def an_appending(cutter: ConnectionCutter, size: int = 1000) -> AppendWatch:
    """A connection on which an append has been prepared."""
    watch = AppendWatch(cutter)
    feed(watch.up, STARTUP + message(b"P", PARSE) + message(b"S", b""), size)
    watch.down(message(b"1", b"") + message(b"Z", b"I"))
    return watch


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_the_cut_after_a_commit_comes_when_the_server_is_ready_again(size: int) -> None:
    cutter = ConnectionCutter()
    watch = an_appending(cutter, size)
    cutter.arm("after-commit")
    feed(watch.up, message(b"B", BIND) + message(b"E", bytes(5)), size)
    rows = message(b"2", b"") + message(b"D", bytes(30)) + message(b"C", b"SELECT 1\0")
    feed(watch.down, rows, size)
    assert cutter.cuts == 0
    with pytest.raises(Cut):
        feed(watch.down, message(b"Z", b"I"), size)
    assert cutter.cuts == 1


def test_within_a_transaction_the_cut_waits_for_its_end() -> None:
    cutter = ConnectionCutter()
    watch = an_appending(cutter)
    cutter.arm("after-commit")
    watch.up(message(b"B", BIND))
    watch.down(message(b"C", b"SELECT 1\0") + message(b"Z", b"T"))
    with pytest.raises(Cut):
        watch.down(message(b"C", b"COMMIT\0") + message(b"Z", b"I"))


@pytest.mark.parametrize("end", [message(b"C", b"ROLLBACK\0"), message(b"E", b"SERROR\0\0")])
def test_what_was_not_committed_is_not_cut(end: bytes) -> None:
    cutter = ConnectionCutter()
    watch = an_appending(cutter)
    cutter.arm("after-commit")
    watch.up(message(b"B", BIND))
    watch.down(end + message(b"Z", b"I"))
    watch.up(message(b"B", b"\0another\0" + bytes(6)))
    watch.down(message(b"Z", b"I"))
    assert cutter.cuts == 0


def test_the_cut_before_a_commit_keeps_the_append_from_the_server() -> None:
    cutter = ConnectionCutter()
    watch = an_appending(cutter)
    cutter.arm("before-commit")
    with pytest.raises(Cut):
        watch.up(message(b"B", BIND))


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_what_the_broker_says_is_counted(size: int) -> None:
    said: Counter[str] = Counter()
    cutter = ConnectionCutter()
    watch = RelayWatch(cutter, said)
    heartbeat = b"\x08\0\0\0\0\0\0\xce"
    frames = method(60, 80) + heartbeat + method(60, 120) + method(10, 60) + method(60, 80)
    feed(watch.down, frames, size)
    assert said == {"ack": 2, "nack": 1, "blocked": 1}
    cutter.arm("ack")
    with pytest.raises(Cut):
        watch.down(method(60, 80))


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_a_consumer_is_cut_before_its_acknowledgement_passes(size: int) -> None:
    cutter = ConnectionCutter()
    watch = ConsumerWatch(cutter)
    feed(watch.up, GREETING + method(10, 11) + method(60, 80), size)  # not armed
    cutter.arm("ack")
    watch.down(method(60, 80))
    assert cutter.cuts == 0
    with pytest.raises(Cut):
        feed(watch.up, method(60, 80), size)
    assert cutter.cuts == 1


def test_a_seed_decides_the_order_of_a_round() -> None:
    names = list(FAULTS)
    assert a_round(1, 0, names) == a_round(1, 0, names)
    assert a_round(1, 0, names) != a_round(1, 1, names)
    assert sorted(a_round(2, 0, names)) == sorted(names)


def test_every_bug_is_exposed_by_faults_that_exist() -> None:
    assert all(fault in FAULTS for bug in BUGS.values() for fault in bug.faults)

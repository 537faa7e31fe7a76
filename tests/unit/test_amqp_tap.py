"""What concerns publishing is taken out of the broker's stream; the library gets the rest whole."""

import asyncio

import pytest
from pamqp import body, commands, frame, header, heartbeat

from gateway.broker.message import OutgoingMessage
from gateway.broker.pending_confirms import ConfirmOutcome, PendingConfirms, Settled
from gateway.broker.transport_tap import Listener, Tap

CHANNEL = 3
BEAT = frame.marshal(heartbeat.Heartbeat(), 0)


class Heard:
    """A tap with a ledger of `messages`, and all that it told."""

    def __init__(self, messages: int = 0) -> None:
        self.bursts: list[list[Settled]] = []
        self.blocked: list[bool] = []
        self.faults: list[str] = []
        ledger = PendingConfirms()
        ledger.add([a_message(number) for number in range(1, messages + 1)])
        self.tap = Tap(
            asyncio.get_running_loop(),
            Listener(ledger, self.bursts.append, self.blocked.append, self.faults.append),
        )
        self.tap.channel = CHANNEL

    def feed(self, *pieces: bytes) -> bytes:
        """Feed the pieces; what the library has to read."""
        for piece in pieces:
            self.tap.feed_data(piece)
        return bytes(self.tap._buffer)  # type: ignore[attr-defined]  # asyncio's own buffer

    @property
    def settled(self) -> list[Settled]:
        return [each for burst in self.bursts for each in burst]


def a_message(number: int) -> OutgoingMessage:
    return OutgoingMessage("x", f"k{number}", True, (), b"", str(number), {}, number)


def ack(tag: int, multiple: bool = False, channel: int = CHANNEL) -> bytes:
    return frame.marshal(commands.Basic.Ack(tag, multiple), channel)


def nack(tag: int, multiple: bool = False) -> bytes:
    return frame.marshal(commands.Basic.Nack(tag, multiple, False), CHANNEL)


def came_back(number: int, data: bytes = b"") -> bytes:
    properties = commands.Basic.Properties(message_id=str(number))
    method = commands.Basic.Return(312, "NO_ROUTE", "x", f"k{number}")
    frames: list[frame.FrameTypes] = [method, header.ContentHeader(0, len(data), properties)]
    if data:
        frames += [body.ContentBody(data[:5]), body.ContentBody(data[5:])]
    return b"".join(frame.marshal(each, CHANNEL) for each in frames)


CLOSE = frame.marshal(commands.Channel.Close(404, "NOT_FOUND", 60, 40), CHANNEL)
STREAM = (
    BEAT + ack(1) + came_back(2, b"0123456789") + ack(4, multiple=True) + nack(5) + BEAT + CLOSE
)
SETTLED = [
    (1, ConfirmOutcome.CONFIRMED), (2, ConfirmOutcome.RETURNED), (3, ConfirmOutcome.CONFIRMED),
    (4, ConfirmOutcome.CONFIRMED), (5, ConfirmOutcome.NACKED),
]  # fmt: skip


async def test_confirms_of_one_arrival_are_told_together() -> None:
    heard = Heard(5)
    assert heard.feed(STREAM) == BEAT + BEAT + CLOSE
    assert heard.bursts == [SETTLED]
    assert heard.faults == []


@pytest.mark.parametrize("size", [1, 2, 7, 20, 21, 22, 50])
async def test_frames_may_arrive_in_any_pieces(size: int) -> None:
    heard = Heard(5)
    pieces = [STREAM[at : at + size] for at in range(0, len(STREAM), size)]
    assert heard.feed(*pieces) == BEAT + BEAT + CLOSE
    assert heard.settled == SETTLED


async def test_other_channels_are_the_librarys() -> None:
    heard = Heard(1)
    assert heard.feed(ack(1, channel=4)) == ack(1, channel=4)
    heard.tap.channel = 0
    assert heard.feed(ack(1)) == ack(1, channel=4) + ack(1)
    assert heard.settled == []


async def test_alarms_are_seen_and_passed_on() -> None:
    heard = Heard()
    on = frame.marshal(commands.Connection.Blocked("low on memory"), 0)
    off = frame.marshal(commands.Connection.Unblocked(), 0)
    assert heard.feed(on, off) == on + off
    assert heard.blocked == [True, False]


async def test_a_return_of_what_was_not_sent_is_a_fault() -> None:
    heard = Heard(1)
    heard.feed(came_back(7))
    assert len(heard.faults) == 1


@pytest.mark.parametrize("garbage", [b"AMQP\x00\x00\x09\x01", ack(1)[:-1] + b"\x00", b"\x07" * 30])
async def test_what_is_no_frame_is_left_to_the_library(garbage: bytes) -> None:
    heard = Heard(2)
    assert heard.feed(ack(1), garbage, ack(2)) == garbage + ack(2)
    assert heard.settled == [(1, ConfirmOutcome.CONFIRMED)]


async def test_the_library_learns_that_the_broker_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    """It counts the seconds since the last frame that it saw, and it sees no confirm."""
    heard = Heard(3)
    clock = [asyncio.get_running_loop().time() + 2]
    monkeypatch.setattr(heard.tap, "_loop_time", lambda: clock[0])
    assert heard.feed(ack(1)) == BEAT
    clock[0] += 0.5
    assert heard.feed(ack(2)) == BEAT
    clock[0] += 0.6
    assert heard.feed(ack(3)) == BEAT + BEAT

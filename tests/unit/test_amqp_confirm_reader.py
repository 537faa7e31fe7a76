"""The reader takes the frames of publishing out of the stream and passes on the others whole."""

import asyncio

import pytest
from pamqp import body, commands, frame, header, heartbeat

from gateway.broker.confirm_reader import ConfirmCallbacks, ConfirmReader
from gateway.broker.message import OutgoingMessage
from gateway.broker.pending_confirms import ConfirmOutcome, ConfirmResult, PendingConfirms

CHANNEL = 3
BEAT = frame.marshal(heartbeat.Heartbeat(), 0)


class Recorder:
    """A reader with so many pending messages, and every call that it made."""

    def __init__(self, messages: int = 0) -> None:
        self.bursts: list[list[ConfirmResult]] = []
        self.blocked: list[bool] = []
        self.faults: list[str] = []
        pending = PendingConfirms()
        pending.add([a_message(number) for number in range(1, messages + 1)])
        self.reader = ConfirmReader(
            asyncio.get_running_loop(),
            ConfirmCallbacks(pending, self.bursts.append, self.blocked.append, self.faults.append),
        )
        self.reader.channel = CHANNEL

    def feed(self, *pieces: bytes) -> bytes:
        """Feed the pieces; what the library has to read."""
        for piece in pieces:
            self.reader.feed_data(piece)
        return bytes(self.reader._buffer)  # type: ignore[attr-defined]  # asyncio's own buffer

    @property
    def results(self) -> list[ConfirmResult]:
        return [each for burst in self.bursts for each in burst]


def a_message(number: int) -> OutgoingMessage:
    return OutgoingMessage("x", f"k{number}", True, (), b"", str(number), {}, number)


def ack(tag: int, multiple: bool = False, channel: int = CHANNEL) -> bytes:
    return frame.marshal(commands.Basic.Ack(tag, multiple), channel)


def nack(tag: int, multiple: bool = False) -> bytes:
    return frame.marshal(commands.Basic.Nack(tag, multiple, False), CHANNEL)


def returned(number: int, data: bytes = b"") -> bytes:
    properties = commands.Basic.Properties(message_id=str(number))
    method = commands.Basic.Return(312, "NO_ROUTE", "x", f"k{number}")
    frames: list[frame.FrameTypes] = [method, header.ContentHeader(0, len(data), properties)]
    if data:
        frames += [body.ContentBody(data[:5]), body.ContentBody(data[5:])]
    return b"".join(frame.marshal(each, CHANNEL) for each in frames)


CLOSE = frame.marshal(commands.Channel.Close(404, "NOT_FOUND", 60, 40), CHANNEL)
STREAM = BEAT + ack(1) + returned(2, b"0123456789") + ack(4, multiple=True) + nack(5) + BEAT + CLOSE
RESULTS = [
    (1, ConfirmOutcome.CONFIRMED), (2, ConfirmOutcome.RETURNED), (3, ConfirmOutcome.CONFIRMED),
    (4, ConfirmOutcome.CONFIRMED), (5, ConfirmOutcome.NACKED),
]  # fmt: skip


async def test_confirms_that_arrive_together_are_reported_together() -> None:
    recorder = Recorder(5)
    assert recorder.feed(STREAM) == BEAT + BEAT + CLOSE
    assert recorder.bursts == [RESULTS]
    assert recorder.faults == []


@pytest.mark.parametrize("size", [1, 2, 7, 20, 21, 22, 50])
async def test_frames_may_arrive_in_any_pieces(size: int) -> None:
    recorder = Recorder(5)
    pieces = [STREAM[at : at + size] for at in range(0, len(STREAM), size)]
    assert recorder.feed(*pieces) == BEAT + BEAT + CLOSE
    assert recorder.results == RESULTS


async def test_frames_of_other_channels_are_passed_on() -> None:
    recorder = Recorder(1)
    assert recorder.feed(ack(1, channel=4)) == ack(1, channel=4)
    recorder.reader.channel = 0
    assert recorder.feed(ack(1)) == ack(1, channel=4) + ack(1)
    assert recorder.results == []


async def test_alarms_are_seen_and_passed_on() -> None:
    recorder = Recorder()
    on = frame.marshal(commands.Connection.Blocked("low on memory"), 0)
    off = frame.marshal(commands.Connection.Unblocked(), 0)
    assert recorder.feed(on, off) == on + off
    assert recorder.blocked == [True, False]


async def test_a_return_of_what_was_not_sent_is_a_fault() -> None:
    recorder = Recorder(1)
    recorder.feed(returned(7))
    assert len(recorder.faults) == 1


@pytest.mark.parametrize("garbage", [b"AMQP\x00\x00\x09\x01", ack(1)[:-1] + b"\x00", b"\x07" * 30])
async def test_garbage_is_passed_on_to_the_library(garbage: bytes) -> None:
    recorder = Recorder(2)
    assert recorder.feed(ack(1), garbage, ack(2)) == garbage + ack(2)
    assert recorder.results == [(1, ConfirmOutcome.CONFIRMED)]


async def test_the_library_sees_that_the_broker_is_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    """It counts the seconds since the last frame that it saw, and it sees no confirm."""
    recorder = Recorder(3)
    clock = [asyncio.get_running_loop().time() + 2]
    monkeypatch.setattr(recorder.reader, "_loop_time", lambda: clock[0])
    assert recorder.feed(ack(1)) == BEAT
    clock[0] += 0.5
    assert recorder.feed(ack(2)) == BEAT
    clock[0] += 0.6
    assert recorder.feed(ack(3)) == BEAT + BEAT

"""Publish a file over gRPC: in chunks that are the same each time, so that it can be resumed."""

import asyncio
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from adapters.cli import screen
from adapters.cli.event_input import parse
from adapters.cli.exits import Exit, Failure
from adapters.cli.profiles import Profile
from adapters.cli.session import connect, grpc_at, until_signal
from adapters.client import CallRetryPolicy, Problem
from adapters.client.grpc_events import ChunkAnswer
from adapters.client.grpc_publishing import StreamPublisher

EVENTS = 500  # of a chunk
LARGEST = 2 << 20  # bytes of a chunk; the gateway takes 4 MiB
RETRY = CallRetryPolicy(attempts=10)  # about a minute without the gateway
MakeEvent = Callable[[Any, str], dict[str, Any]]
"""An event of the value of a line, and the id that it gets unless it has one."""


@dataclass
class Lines:
    """The lines of a file, in chunks."""

    file: Path
    make: MakeEvent
    digest: str
    sent: dict[int, list[int]] = field(default_factory=dict)
    """By chunk that is not answered: the numbers of its lines."""

    def after(self, chunk: int) -> Iterator[list[dict[str, Any]]]:
        """The chunks after this one. Raises Failure for a line that is no event."""
        with self.file.open("rb") as lines:
            for number, numbered in enumerate(_chunks(lines), 1):
                if number > chunk:
                    self.sent[number] = [line for line, _ in numbered]
                    yield [self._event(*each) for each in numbered]

    def _event(self, number: int, line: bytes) -> dict[str, Any]:
        value = parse(line, f"Line {number} of {self.file}")
        return self.make(value, f"{self.digest[:24]}-{number}")


def _chunks(lines: Any) -> Iterator[list[tuple[int, bytes]]]:
    chunk: list[tuple[int, bytes]] = []
    size = 0
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        if chunk and (len(chunk) == EVENTS or size + len(line) > LARGEST):
            yield chunk
            chunk, size = [], 0
        chunk.append((number, line))
        size += len(line)
    if chunk:
        yield chunk


@dataclass
class Total:
    """What became of the events so far."""

    stored: int = 0
    duplicates: int = 0
    refused: int = 0
    began: float = field(default_factory=time.monotonic)

    def add(self, answer: ChunkAnswer) -> None:
        """Count a chunk."""
        self.stored += answer.stored
        self.duplicates += answer.duplicates
        self.refused += len(answer.refused)

    @property
    def rate(self) -> int:
        """Events a second."""
        return round((self.stored + self.refused) / max(time.monotonic() - self.began, 0.001))

    def described(self) -> dict[str, Any]:
        """As JSON; `rate` is in events a second."""
        return {
            "stored": self.stored,
            "duplicates": self.duplicates,
            "refused": self.refused,
            "rate": self.rate,
        }


def publish(
    profile: Profile,
    file: Path,
    make: MakeEvent,
    *,
    options: str,
    address: str,
    as_json: bool,
) -> int:
    """Publish the lines of a file, and go on where an earlier run of the same was cut off.

    `options` are those that the events depend on. Raises Failure, Problem.
    """
    digest, count = _digest(file, options)
    lines, total = Lines(file, make, digest), Total()

    async def work() -> bool:
        where, tls = grpc_at(profile, address)
        async with connect(profile) as connection:
            publisher = StreamPublisher(where, connection.access_token, tls=tls, retry=RETRY)
            with _progress(file.name, count) as progress:
                async for answer in publisher.publish(lines.after, stream=digest):
                    total.add(answer)
                    numbers = lines.sent.pop(answer.number)
                    progress(numbers[-1], total.rate)
                    _show_refused(answer, numbers, as_json)
        return True

    try:
        finished = asyncio.run(until_signal(work()))
    except ValueError as error:
        raise Failure(f"{file}: {error}") from None
    return _ended(total, as_json, finished=finished is not None)


def _ended(total: Total, as_json: bool, *, finished: bool) -> int:
    """Say what became of the events. Raises Failure if there are more."""
    if as_json:
        sys.stdout.write(json.dumps(total.described()) + "\n")
    else:
        _summarise(total)
    if not finished:
        raise Failure("Interrupted. The same command goes on where this one ended.")
    return Exit.ERROR if total.refused else Exit.OK


def _digest(file: Path, options: str) -> tuple[str, int]:
    """What names the stream and the events of a file, and how many lines it has."""
    digest, count = sha256(options.encode()), 0
    with file.open("rb") as lines:
        for line in lines:
            digest.update(line)
            count += 1
    return digest.hexdigest(), count


@contextmanager
def _progress(name: str, lines: int) -> Iterator[Callable[[int, int], None]]:
    """A bar, updated with the line and the rate; none without a terminal."""
    console = screen.err()
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[rate]}"))
    bar = Progress(
        *columns,
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with bar:
        task = bar.add_task(name, total=lines, rate="")
        yield lambda line, rate: bar.update(task, completed=line, rate=f"{rate:,}/s")


def _show_refused(answer: ChunkAnswer, lines: list[int], as_json: bool) -> None:
    for place, problem in answer.refused.items():
        if as_json:
            shown = {"line": lines[place], "problem": problem.document}
            sys.stdout.write(json.dumps(shown) + "\n")
        else:
            screen.out().print(f"[red]refused[/] line {lines[place]}: {_reason(problem)}")


def _reason(problem: Problem) -> str:
    violations = "".join(
        f"\n  {screen.safe(each.pointer or '/')} {screen.safe(each.message)}"
        for each in problem.violations
    )
    return f"{screen.safe(problem.detail or problem.title)}{violations}"


def _summarise(total: Total) -> None:
    repeated = f", {total.duplicates:,} of them before" if total.duplicates else ""
    screen.out().print(
        f"{total.stored:,} stored{repeated}, {total.refused:,} refused, {total.rate:,} a second"
    )

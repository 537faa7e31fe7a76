"""Whether an event says the same as the one that is stored under its source and id.

Equal digests are the answer for nearly all: a publisher that repeats an event sends the same bytes.
Only where they differ the stored event is read, after the commit, when no lock is held any more.
"""

import asyncio
from collections.abc import Sequence

from msgspec.structs import replace

from gateway.base.errors import Overloaded
from gateway.base.event import Event, same_event
from gateway.base.fair_turns import FairTurns
from gateway.journal.entry import Appended, Candidate
from gateway.journal.reader import JournalReader

_WAIT = 20.0  # seconds for a turn and the comparison; two documents of 1 MiB take 3 to 15
_QUEUE = 64  # comparisons of one publisher that may wait in this process


class OtherContent(Exception):
    """In an atomic append: events whose identity is stored with another digest, and where."""

    def __init__(self, pairs: Sequence[tuple[Candidate, Appended]]) -> None:
        super().__init__()
        self.pairs = pairs


class Repeats:
    """Compares events with those that the journal holds, one at a time, in turns of publishers."""

    def __init__(self, reader: JournalReader) -> None:
        self._reader = reader
        self._turns = FairTurns(slots=1, share=1, queue=_QUEUE)

    async def marked(
        self, candidates: Sequence[Candidate], results: list[Appended]
    ) -> list[Appended]:
        """The results, with `same` of those that are stored with another digest.

        Raises JournalUnavailable, and Overloaded while too much is compared.
        """
        for index, (candidate, result) in enumerate(zip(candidates, results, strict=True)):
            if result.duplicate and result.digest != candidate.event.digest:
                same = await self.same(candidate, result, candidates)
                results[index] = replace(result, same=same)
        return results

    async def same(
        self, candidate: Candidate, appended: Appended, others: Sequence[Candidate]
    ) -> bool:
        """Whether `appended` tells of the same event, written in another way.

        That one may be among the others, and not be committed. Raises as `marked` does.
        """
        event = candidate.event
        try:
            async with asyncio.timeout(_WAIT), self._turns.turn(candidate.publisher):
                stored = _among(others, event.identity, appended.digest)
                if stored is None:
                    entry = await self._reader.stored(appended)
                    stored = None if entry is None else entry.event
                # None: its partition was taken out of the journal.
                return stored is not None and await same_event(event, stored)
        except TimeoutError:
            raise Overloaded(
                "The event has to be compared with the one that has its id, and others are waiting "
                "for that. Publish it again, with the same bytes if possible."
            ) from None


def _among(candidates: Sequence[Candidate], identity: bytes, digest: bytes) -> Event | None:
    for candidate in candidates:
        if candidate.event.identity == identity and candidate.event.digest == digest:
            return candidate.event
    return None

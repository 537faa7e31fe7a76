"""A publisher that does not stop, and what it was promised."""

import threading
from collections.abc import Iterable
from typing import Any

from tests.builders import CITIZEN, FREE, a_citizen, a_document, an_id
from tests.bus import Actor
from tests.readers import Received
from tests.waiting import eventually

KEYS = 7
BATCH = 20


class Stream:
    """Publishes while its `with` block runs, by turns of each type, for a few keys."""

    def __init__(self, by: Actor, *types: str) -> None:
        self._types = types or (FREE,)
        self.source = f"/uji/{an_id()}"
        self.sent: list[dict[str, Any]] = []
        self._by, self._done = by, threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Stream":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    @property
    def ids(self) -> set[str]:
        """Of all events that were accepted."""
        return {event["id"] for event in self.sent}

    def publish(self, count: int = BATCH) -> None:
        """One batch."""
        batch = [self._event(len(self.sent) + number) for number in range(count)]
        answer = self._by.publish_batch(batch)
        assert answer.json()["accepted"] == count, answer.text
        self.sent += batch

    def more(self, events: int) -> None:
        """Wait until this many more were accepted."""
        wanted = len(self.sent) + events
        eventually(lambda: len(self.sent) >= wanted)

    def require_delivery(self, found: Iterable[Received]) -> None:
        """All came, and the first delivery of each in the order of its key."""
        first = dict.fromkeys(
            each.document["id"] for each in found if each.document["source"] == self.source
        )
        assert set(first) == self.ids
        for key in range(KEYS):
            in_order = [e["id"] for e in self.sent if e["subject"] == f"key {key}"]
            mine = set(in_order)
            assert [each for each in first if each in mine] == in_order

    def _event(self, number: int) -> dict[str, Any]:
        type = self._types[number // KEYS % len(self._types)]
        more = {"data": a_citizen()} if type == CITIZEN else {}
        return a_document(type=type, source=self.source, subject=f"key {number % KEYS}", **more)

    def _run(self) -> None:
        while not self._done.is_set():
            self.publish()

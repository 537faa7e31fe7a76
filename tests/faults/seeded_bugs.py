"""The gateway with a bug: `python -m tests.faults.seeded_bugs BUG -- PROCESS`.

The checker must find each of these, or it proves nothing. A bug is put into a child process by
replacing a piece of the gateway; the production code knows nothing of it.
"""

import asyncio
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any

from gateway.base import strict_json
from gateway.http import admission
from gateway.identity.source_owners import SourceOwners
from gateway.journal import append, shard_leases, writer
from gateway.journal.checkpoints import furthest
from gateway.publishing import EventValidator
from gateway.quotas import Gate
from gateway.relay import backfill, in_flight, shard_relay
from tests.faults import consumer_service, seeded_cluster_bugs, seeded_delivery_bugs
from tests.faults.seeded_delivery_bugs import loosened, replace


@dataclass(frozen=True, slots=True)
class Bug:
    """`rule` of the checker has to find it when `faults` happen, in a line with `sign` in it."""

    install: Callable[[], None]
    faults: Sequence[str]
    rule: str
    sign: str
    relays: int = 1
    delivers: int = 1

    def found(self, breaches: Mapping[str, Sequence[str]]) -> bool:
        """Whether these breaches tell of it."""
        return any(self.sign in breach for breach in breaches.get(self.rule, ()))


def ack_before_commit() -> None:
    """Publishers are answered when the statement was run, a moment before its commit."""

    async def commit(connection: Any, group: Any, shards: int, incarnation: Any) -> None:
        async with connection.transaction():
            candidates = [c for request in group for c in request.candidates]
            appended, _ = await append.append_once(connection, candidates, shards)
            results = iter(appended)
            for request in group:
                mine = [next(results) for _ in request.candidates]
                if not request.appended.done():
                    request.appended.set_result(mine)
            await asyncio.sleep(0.1)

    replace(writer, "_commit", lambda _: commit)


def dedupe_off() -> None:
    """Every attempt is a new event."""
    replace(
        append,
        "_row",
        lambda row: lambda *given: _with_second(row(*given), lambda key: os.urandom(16) + key[16:]),
    )


def cursor_before_confirm() -> None:
    """The cursor moves when a message is sent, and does not wait for its confirm."""

    def make_take(take: Any) -> Any:
        @wraps(take)
        def moved(self: Any, limit: int) -> Any:
            messages = take(self, limit)
            if self._order:
                self.cursor = max(self.cursor, self._order[-1].cursor, key=_sequence)
            return messages

        return moved

    def make_settle(settle: Any) -> Any:
        @wraps(settle)
        def forward_only(self: Any, entry: Any) -> None:
            before = self.cursor
            settle(self, entry)
            self.cursor = max(before, self.cursor, key=_sequence)

        return forward_only

    replace(in_flight.InFlightWindow, "take_ready", make_take)
    replace(in_flight.InFlightWindow, "_settle", make_settle)


def key_gate_off() -> None:
    """Events of one key are on their way together, and one that was refused comes after others."""

    def make(add: Any) -> Any:
        @wraps(add)
        def alone(self: Any, entry: Any) -> None:
            entry.ordering_key = f"{entry.cursor.sequence}"
            add(self, entry)

        return alone

    replace(in_flight.InFlightWindow, "add", make)


def mandatory_off() -> None:
    """A message that no queue wants is confirmed and gone, and nobody hears of it."""
    for module in (shard_relay, backfill):
        replace(
            module,
            "make_message",
            lambda make: lambda *given: make(*given)._replace(mandatory=False),
        )


def epoch_check_off() -> None:
    """A lease never runs out for its holder, and a holder that was replaced still writes."""
    statements = vars(shard_leases.SHARD_LEASES)  # they are made when they are first asked for
    statements["renew"] = loosened(shard_leases.SHARD_LEASES.renew, "l.epoch = u.epoch")
    statements["fence"] = loosened(shard_leases.SHARD_LEASES.fence, "epoch = $2")
    replace(shard_leases.ShardLease, "__bool__", lambda _: lambda self: self.expires > 0)


def source_unbound() -> None:
    """Everybody may use the source of everybody."""
    replace(SourceOwners, "require", lambda _: lambda self, source, organisation: None)


def admission_off() -> None:
    """Whatever is sent is taken on."""

    def make(_: Any) -> Any:
        def enter(self: Any, organisation: str, places: int, *, counted: bool = True) -> Any:
            return admission.Admitted(organisation, places, self._clock(), counted, left=True)

        return enter

    replace(admission.Admission, "enter", make)
    replace(admission.Admission, "keep", lambda _: lambda self, place: None)


def validation_on_the_loop() -> None:
    """Every event is validated on the event loop, however long it takes."""

    async def validate(
        self: Any, event: Any, version: Any, organisation: str, *, is_reply: bool = False
    ) -> None:
        validator = version.reply_validator if is_reply else version.validator
        validator.require(strict_json.parse(event.data))

    replace(EventValidator, "validate", lambda _: validate)


def quota_off() -> None:
    """No rate stops a publisher."""
    replace(Gate, "require_publishing", lambda _: lambda self: None)


def resume_ahead() -> None:
    """How far a stream has come is stored before its events are."""

    def make(append_once: Any) -> Any:
        @wraps(append_once)
        async def ahead(
            connection: Any, candidates: Any, shards: int, checkpoints: Any = ()
        ) -> Any:
            if checkpoints:
                await connection.executemany(_AHEAD, furthest(checkpoints))
            return await append_once(connection, candidates, shards)

        return ahead

    replace(writer, "append_once", make)


_AHEAD = """
INSERT INTO journal_streams (client, stream, chunk) VALUES ($1, $2, $3)
ON CONFLICT (client, stream) DO UPDATE SET chunk = greatest(journal_streams.chunk, excluded.chunk)
"""
TOGETHER = "+"
"""Joins the names of bugs that are put in at once."""

BUGS: Mapping[str, Bug] = {
    # What was lost is not there, or an event that took its id since has "other content".
    "ack-before-commit": Bug(ack_before_commit, ("stop-postgres",), "stored", "in the journal"),
    "dedupe-off": Bug(dedupe_off, ("cut-before-commit",), "once", "times"),
    "cursor-before-confirm": Bug(cursor_before_confirm, ("kill-broker",), "delivered", "never got"),
    "key-gate-off": Bug(key_gate_off, ("fill-queue",), "order", "before"),
    "mandatory-off": Bug(mandatory_off, ("delete-queue",), "faults", "none came back"),
    "epoch-check-off": Bug(epoch_check_off, ("freeze-relay",), "journal-leases", "held epoch", 2),
    "cursor-before-answer": Bug(
        seeded_delivery_bugs.cursor_before_answer, ("kill-deliver",), "agreed", "never took"
    ),
    "lease-check-off": Bug(
        seeded_delivery_bugs.lease_check_off,
        ("freeze-deliver",),
        "webhook-leases",
        "had the lease",
        delivers=2,
    ),
    "lock-check-off": Bug(
        seeded_delivery_bugs.lock_check_off, ("fail-endpoint",), "tokens", "an old token"
    ),
    "inbox-off": Bug(seeded_delivery_bugs.inbox_off, ("kill-consumer",), "effects", "effects of"),
    "source-unbound": Bug(source_unbound, ("kill-api",), "answers", "forbidden, was answered 202"),
    "admission-off": Bug(admission_off, ("overload",), "faults", "nothing was refused"),
    "validation-on-the-loop": Bug(
        validation_on_the_loop,
        ("publish-expensive",),
        "faults",
        "events without limit on the loop",
    ),
    "quota-off": Bug(quota_off, ("kill-api",), "quotas", "beyond its quota"),
    "resume-ahead": Bug(resume_ahead, ("kill-grpc",), "resumed", "is stored, and it is not"),
    "redrive-to-all": Bug(
        seeded_delivery_bugs.redrive_to_all,
        ("fail-endpoint",),
        "redriven",
        "when others were redriven",
    ),
}

CLUSTER_BUGS: Mapping[str, Bug] = {
    "commit-before-standby": Bug(
        seeded_cluster_bugs.commit_before_standby,
        ("fail-over-database",),
        "stored",
        "is not in the journal",
    ),
    "queue-deleted-in-minority": Bug(
        seeded_cluster_bugs.queue_deleted_in_minority,
        ("lose-majority",),
        "processes",
        "deleted without a majority",
    ),
}
"""Those that need hosts to lose."""


def _with_second(row: tuple[Any, ...], change: Callable[[Any], Any]) -> tuple[Any, ...]:
    return (row[0], change(row[1]), *row[2:])


def _sequence(position: Any) -> int:
    return int(position.sequence)


def main() -> None:
    """Install bugs, then be the gateway."""
    bug, separator, *rest = sys.argv[1:]
    assert separator == "--"
    for each in bug.split(TOGETHER):
        {**BUGS, **CLUSTER_BUGS}[each].install()
    if rest == ["consumer"]:
        consumer_service.main()
        return
    from gateway.__main__ import app

    app(rest, prog_name="gateway")


if __name__ == "__main__":
    main()

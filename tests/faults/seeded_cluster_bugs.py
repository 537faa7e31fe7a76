"""Bugs that show when hosts are lost, for `seeded_bugs`."""

from dataclasses import replace as changed
from functools import wraps
from typing import Any

from gateway.broker import management
from gateway.journal import writer
from gateway.subscriptions import unavailable_queues
from tests.faults.seeded_delivery_bugs import replace


def commit_before_standby() -> None:
    """The commit of an append does not wait for the standby."""

    def make(commit: Any) -> Any:
        async def alone(connection: Any, *given: Any, **more: Any) -> None:
            await connection.execute("SET synchronous_commit TO local")
            await commit(connection, *given, **more)

        return alone

    replace(writer, "_commit", make)


def queue_deleted_in_minority() -> None:
    """The statistics of a queue are believed, and it is deleted once it has none for ten seconds,
    whichever of its nodes run."""

    def make(queue_state: Any) -> Any:
        @wraps(queue_state)
        def believed(item: Any) -> Any:
            return changed(queue_state(item), members=frozenset(), available=True)

        return believed

    replace(management, "queue_state", make)
    replace(unavailable_queues, "UNSOUND", lambda _: 10.0)

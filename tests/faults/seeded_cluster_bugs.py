"""Bugs that show when hosts are lost, for `seeded_bugs`."""

from typing import Any

from gateway.journal import writer
from gateway.subscriptions.unavailable_queues import UnavailableQueues
from tests.faults.seeded_delivery_bugs import replace

IN_MINORITY = 3.0  # seconds; thirty in the repair that had this bug


def queue_deleted_in_minority() -> None:
    """A queue that has lost most of its members is deleted, and filled from where its old
    statistics say that it was empty."""

    async def keep_nothing(self: Any, subscription: Any, keys: Any, now: float) -> bool:
        return False

    async def delete(self: Any, queues: Any, now: float, failures: Any) -> None:
        for name, since in self._since.items():
            if now - since > IN_MINORITY:
                with failures.kept(name):
                    await self.broker.delete_queue(name)

    replace(UnavailableQueues, "keep_off", lambda _: keep_nothing)
    replace(UnavailableQueues, "delete_unsound", lambda _: delete)


def commit_before_standby() -> None:
    """The commit of an append does not wait for the standby."""

    def make(commit: Any) -> Any:
        async def alone(connection: Any, *given: Any, **more: Any) -> None:
            await connection.execute("SET synchronous_commit TO local")
            await commit(connection, *given, **more)

        return alone

    replace(writer, "_commit", make)

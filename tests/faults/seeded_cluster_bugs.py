"""Bugs that show when hosts are lost, for `seeded_bugs`."""

from typing import Any

from gateway.journal import writer
from tests.faults.seeded_delivery_bugs import replace


def commit_before_standby() -> None:
    """The commit of an append does not wait for the standby."""

    def make(commit: Any) -> Any:
        async def alone(connection: Any, *given: Any, **more: Any) -> None:
            await connection.execute("SET synchronous_commit TO local")
            await commit(connection, *given, **more)

        return alone

    replace(writer, "_commit", make)

"""Bugs in how a restored journal is noticed, for the drill in `tests/integration`."""

from typing import Any

from gateway.journal import Incarnation
from tests.faults.seeded_delivery_bugs import replace


def old_cursor_kept() -> None:
    """No process notices that the journal was restored, so a relay goes on with its old cursor."""

    def make(enter: Any) -> Any:
        async def once(self: Any, connection: Any) -> None:
            if self.id is None:
                await enter(self, connection)

        return once

    async def believe(self: Any, connection: Any) -> None:
        """The broker's witness is not heard either."""

    replace(Incarnation, "enter", make)
    replace(Incarnation, "compare", lambda _: believe)
    replace(Incarnation, "fits", lambda _: lambda *given, **more: True)

"""A consumer process for tests: writes each event into a table, and dies when it is told to.

Environment: AMQP_URL, QUEUE, DATABASE_URL, DIE (how many effects until it kills itself before the
commit is settled).
"""

import asyncio
import os
import signal
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from consumers.events import Event
from consumers.inbox import Inbox
from consumers.outcomes import DONE, Outcome
from consumers.runtime import Consumer

DIE = int(os.environ.get("DIE", "0"))


class Dying(Consumer):
    """Dies after the effect and before the acknowledgement."""

    async def _settle(self, *what: Any) -> bool:
        if DIE and self.counts.handled >= DIE:
            os.kill(os.getpid(), signal.SIGKILL)
        return await super()._settle(*what)


async def record(event: Event, session: AsyncSession) -> Outcome:
    """The effect."""
    await session.execute(
        text("INSERT INTO effects (id, subject) VALUES (:id, :subject)"),
        {"id": event.id, "subject": event.subject},
    )
    return DONE


async def main() -> None:
    """Consume until SIGTERM."""
    inbox = await Inbox.open(os.environ["DATABASE_URL"], "recorder")
    consumer = Dying(os.environ["AMQP_URL"], os.environ["QUEUE"], inbox, {"*": record})
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, consumer.stop)
    await consumer.run()
    await inbox.close()


if __name__ == "__main__":
    asyncio.run(main())

"""What the routes of the gateway work with, put together once in a process."""

from dataclasses import dataclass
from typing import Annotated, Any, cast

from fastapi import Depends, Request

from gateway.base.database import Database, Topic
from gateway.base.settings import Settings
from gateway.base.snapshot import Snapshot, refresh
from gateway.contracts import Catalogue
from gateway.contracts.governance import Governing, Lifecycle
from gateway.delivery import (
    ConsumerReports,
    DeliveryLedger,
    DeliveryTester,
    PullDelivery,
    Redriver,
    Resender,
    StreamDelivery,
)
from gateway.delivery.store import DeadLetters, Redrives
from gateway.delivery.webhook import Endpoints
from gateway.identity import Directory, Logins, Tokens
from gateway.journal import JournalReader, Refusals
from gateway.publishing import Intake
from gateway.request_reply import Answering, Requester
from gateway.subscriptions import Subscriptions
from gateway.subscriptions.subscribe import Subscribing


@dataclass(frozen=True, slots=True)
class ApiParts:
    """The parts of an api process; it is a `deps.Parts`."""

    settings: Settings
    database: Database
    tokens: Tokens
    logins: Logins
    reader: JournalReader
    refusals: Refusals
    intake: Intake
    subscribing: Subscribing
    endpoints: Endpoints
    governing: Governing
    lifecycle: Lifecycle
    pull: PullDelivery
    streaming: StreamDelivery
    asking: Requester
    answering: Answering
    letters: DeadLetters
    redriving: Redriver
    resending: Resender
    redrives: Redrives
    ledger: DeliveryLedger
    reporting: ConsumerReports
    trying: DeliveryTester
    directories: Snapshot[Directory]
    catalogues: Snapshot[Catalogue]
    subscriptions: Snapshot[Subscriptions]

    @property
    def directory(self) -> Directory:
        """Who takes part, as of the last load."""
        return self.directories.value

    @property
    def catalogue(self) -> Catalogue:
        """The contracts, as of the last load."""
        return self.catalogues.value

    async def require_ready(self) -> None:
        """Raises Unavailable unless events can be accepted."""
        self.intake.require_capacity()
        await self.reader.require_writable()

    async def refresh(self, topic: Topic) -> None:
        """Bring the snapshot of a topic up to date now."""
        of: dict[Topic, Snapshot[Any]] = {
            Topic.IDENTITY: self.directories,
            Topic.CONTRACTS: self.catalogues,
        }
        if topic in of:
            await refresh(self.database, of[topic])


def parts(request: Request) -> ApiParts:
    """The parts of the running application."""
    return cast(ApiParts, request.app.state.parts)


ApiPartsHere = Annotated[ApiParts, Depends(parts)]

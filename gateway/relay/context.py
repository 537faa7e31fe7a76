"""The collaborators that a shard relay and its backfills share while one publisher lives."""

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.base.database import Database
from gateway.base.leases import LeaseLost
from gateway.base.snapshot import POLL, Snapshot, refresh
from gateway.broker import ConfirmPublisher
from gateway.contracts import Catalogue, load_contracts
from gateway.delivery.store import DeadLetters
from gateway.journal import JournalReader, ShardLease
from gateway.relay.in_flight import InFlightWindow
from gateway.relay.queue_credit import QueueCredit
from gateway.relay.send_limit import SendLimit
from gateway.subscriptions import Subscriptions


class ControlPlane:
    """Contracts and subscriptions, as of the last look at their revisions."""

    poll = POLL

    def __init__(
        self,
        database: Database,
        catalogue: Snapshot[Catalogue],
        subscriptions: Snapshot[Subscriptions],
    ) -> None:
        self._database = database
        self._catalogue = catalogue
        self._subscriptions = subscriptions

    @property
    def catalogue(self) -> Catalogue:
        """All contracts."""
        return self._catalogue.value

    @property
    def subscriptions(self) -> Subscriptions:
        """All subscriptions."""
        return self._subscriptions.value

    def revisions(self) -> tuple[int, int]:
        """The revisions of contracts and subscriptions; they change with every change."""
        return self._catalogue.revision, self._subscriptions.revision

    async def load_contracts(self, types: Iterable[str]) -> None:
        """Refresh the contracts if one of these types lacks its own. Raises DatabaseUnavailable."""
        await load_contracts(types, self._catalogue, self._database)

    async def refresh(self) -> None:
        """Load what has changed. Raises DatabaseUnavailable."""
        await refresh(self._database, self._catalogue, self._subscriptions)


@dataclass(frozen=True, slots=True)
class RelayContext:
    """Reads the journal, publishes to RabbitMQ and knows the control plane."""

    publisher: ConfirmPublisher
    send_limit: SendLimit
    reader: JournalReader
    database: Database
    control_plane: ControlPlane
    queue_credit: QueueCredit
    dead_letters: DeadLetters

    async def send_ready(self, window: InFlightWindow, lease: ShardLease) -> None:
        """Send what is ready in a window, as far as the limit of messages in flight has room.

        Clear `window.changed` before: it is set when there is room for what is left. Returns when
        the connection can take more. Raises LeaseLost instead of sending, and BrokerUnavailable.
        """
        await self.publisher.wait_unblocked()
        messages = window.take_ready(self.send_limit.share(window))
        if messages and not lease:
            raise LeaseLost(lease.shard)
        self.send_limit.sent(window, messages)
        await self.publisher.publish(messages)

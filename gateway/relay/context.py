"""What carries entries from the journal into queues, as long as one lane lives."""

from dataclasses import dataclass

from gateway.base.database import Database
from gateway.broker import ConfirmPublisher
from gateway.journal import JournalReader
from gateway.relay.control import ControlPlane
from gateway.relay.queue_credit import QueueCredit


@dataclass(frozen=True, slots=True)
class RelayContext:
    """The way in, the way out and what tells the way."""

    lane: ConfirmPublisher
    reader: JournalReader
    database: Database
    control: ControlPlane
    rooms: QueueCredit

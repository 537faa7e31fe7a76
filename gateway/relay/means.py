"""What carries entries from the journal into queues, as long as one lane lives."""

from dataclasses import dataclass

from gateway.amqp import Lane
from gateway.database import Database
from gateway.journal import Reader
from gateway.relay.control import Control
from gateway.relay.rooms import Rooms


@dataclass(frozen=True, slots=True)
class Means:
    """The way in, the way out and what tells the way."""

    lane: Lane
    reader: Reader
    database: Database
    control: Control
    rooms: Rooms

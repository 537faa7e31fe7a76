"""What an api process serves subscriptions with."""

from dataclasses import dataclass

from gateway.compose.common import Common, redriving
from gateway.deliveries import DeadLetters, Deliveries, Redrives
from gateway.delivery import (
    Finder,
    Ledger,
    Pull,
    Redriving,
    Streaming,
    Subscribing,
)
from gateway.delivery.webhook import Endpoints
from gateway.stop import Stop


@dataclass(frozen=True, slots=True)
class Serving:
    """Subscriptions, what they are handed, and what failed."""

    subscribing: Subscribing
    endpoints: Endpoints
    pull: Pull
    streaming: Streaming
    letters: DeadLetters
    redriving: Redriving
    redrives: Redrives
    ledger: Ledger


def serve_subscriptions(parts: Common, stop: Stop) -> Serving:
    """The parts, each made once."""
    timeout = parts.settings.append_timeout
    deliveries = Deliveries(parts.database.pool, timeout=timeout)
    letters = DeadLetters(parts.database.pool, timeout=timeout)
    finder = Finder(parts.database, parts.reader, deliveries, parts.catalogues)
    endpoints = Endpoints(parts.database, parts.settings)
    snapshots = (parts.directories, parts.catalogues)
    subscribing = Subscribing(
        parts.database,
        parts.reader,
        deliveries,
        parts.broker,
        parts.management,
        *snapshots,
        endpoints,
    )
    return Serving(
        subscribing,
        endpoints,
        Pull(parts.reader, deliveries, finder, *snapshots),
        Streaming(parts.reader, deliveries, finder, *snapshots, stop),
        letters,
        redriving(parts, letters),
        Redrives(parts.database.pool, timeout=timeout),
        Ledger(parts.database, parts.reader, deliveries, letters, parts.catalogues),
    )

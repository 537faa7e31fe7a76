"""The event of a trial: it means nothing, belongs to one subscription, and stands in no journal."""

import json
import secrets
from dataclasses import dataclass
from datetime import datetime

from gateway.base.event import Event
from gateway.delivery.store import Key
from gateway.journal import Entry

TEST_EVENT_TYPE = "id.go.nusabus.langganan.diuji.v1"


@dataclass(frozen=True, slots=True)
class DeliveryTest:
    """How a trial went. `id` is that of its event; `webhook_id` what an endpoint should have seen.

    `delivered` says that the endpoint took it, or that it is where the subscriber takes it from.
    """

    delivered: bool
    detail: str
    seconds: float
    id: str
    webhook_id: str | None = None


def new_test_number() -> int:
    """A number that names a trial of a subscription."""
    return secrets.randbits(62)


def make_test_event(key: Key, number: int) -> Event:
    """The event of a trial, always the same for the same number."""
    organisation, name = key
    return Event(
        f"{number:016x}",
        f"/nusabus/subscriptions/{organisation}/{name}",
        TEST_EVENT_TYPE,
        attributes={"datacontenttype": "application/json"},
        data=json.dumps({"subscription": name}).encode(),
    )


def make_test_entry(key: Key, number: int, at: datetime) -> Entry:
    """The same as if it stood in the journal, before all that does."""
    return Entry(0, 0, at, make_test_event(key, number), b"", "nusabus", 1)

"""The test event of a subscription. It is not in the journal, and never becomes a dead letter."""

import json
import secrets
from dataclasses import dataclass
from datetime import datetime

from gateway.base.event import Event
from gateway.delivery.store import Key
from gateway.identity import OPERATOR
from gateway.journal import Entry

TEST_EVENT_TYPE = "id.go.nusabus.langganan.diuji.v1"


@dataclass(frozen=True, slots=True)
class DeliveryTest:
    """The result of a test.

    `delivered`: the endpoint accepted the event, or the event is where the subscriber takes it
    from. `seconds` is how long that took. `id` is the id of the event; `webhook_id` is the
    `webhook-id` header that the endpoint received, None for other deliveries.
    """

    delivered: bool
    detail: str
    seconds: float
    id: str
    webhook_id: str | None = None


def new_test_number() -> int:
    """A random number that names a test event of a subscription."""
    return secrets.randbits(62)


def make_test_event(key: Key, number: int) -> Event:
    """The test event with this number; the same number always gives the same event."""
    organisation, name = key
    return Event(
        f"{number:016x}",
        f"/nusabus/subscriptions/{organisation}/{name}",
        TEST_EVENT_TYPE,
        attributes={"datacontenttype": "application/json"},
        data=json.dumps({"subscription": name}).encode(),
    )


def make_test_entry(key: Key, number: int, recorded: datetime) -> Entry:
    """The test event as an entry, at a position before the first one of the journal."""
    return Entry(0, 0, recorded, make_test_event(key, number), OPERATOR, OPERATOR, 1)

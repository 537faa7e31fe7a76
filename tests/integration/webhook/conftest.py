"""A bus whose operator permits endpoints on this machine."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from deploy.local.ports import LOOPBACK
from tests.authority import Authority
from tests.builders import FREE, a_name
from tests.bus import Actor, Bus, MakeBus
from tests.integration.webhook.inbox import Behave, Inbox, Reply
from tests.waiting import eventually

PERMISSIVE = {
    "NUSABUS_WEBHOOK_NETWORKS": f"{LOOPBACK}/32",
    "NUSABUS_WEBHOOK_HTTP": "true",
    "NUSABUS_WEBHOOK_RETRIES": "0.2,0.4,0.8",
}
MakeInbox = Callable[..., Inbox]


@pytest.fixture(scope="package")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Whose certificates the bus trusts."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="package")
def certificate(authority: Authority) -> Path:
    """What the bus shows to endpoints that ask."""
    return authority.issue("bus", x509.DNSName("bus"))


@pytest.fixture(scope="package")
def hooks(make_bus: MakeBus, authority: Authority, certificate: Path) -> Iterator[Bus]:
    """An api and a deliver process."""
    files = {
        "NUSABUS_WEBHOOK_CA_FILE": str(authority.file),
        "NUSABUS_WEBHOOK_CERTIFICATE_FILE": str(certificate),
    }
    with make_bus(**PERMISSIVE, **files) as bus:
        yield bus.run("api", "deliver")


@pytest.fixture
def uji(hooks: Bus) -> Actor:
    """A client of the bus."""
    return hooks.actor("uji")


@pytest.fixture
def make_inbox() -> Iterator[MakeInbox]:
    """Makes endpoints, and ends them."""
    made: list[Inbox] = []

    def make(behave: Behave = lambda _: Reply(), **more: Any) -> Inbox:
        made.append(Inbox(behave, **more))
        return made[-1]

    yield make
    for inbox in made:
        inbox.close()


@pytest.fixture
def inbox(make_inbox: MakeInbox) -> Inbox:
    """An endpoint that takes everything."""
    return make_inbox()


def passed_over(publish: Callable[[], str], inbox: Inbox, witness: Inbox) -> str:
    """Publish until an event comes to the witness and not to the inbox; that event's id.

    The witness gets another event after it, so that both had their time.
    """

    def passed() -> str | None:
        id = publish()
        witness.wait_for(id, publish())
        return None if id in inbox.ids() else id

    found = eventually(passed)
    assert found is not None
    return found


def hooked(actor: Actor, url: str, *types: str, terms: Any = None, **more: Any) -> dict[str, Any]:
    """A subscription by webhook, as it was made; `endpoint` changes that part of the terms."""
    endpoint = {"url": url, **more.pop("endpoint", {})}
    body = {"delivery": "webhook", "terms": {"endpoint": endpoint, **(terms or {})}, **more}
    answer = actor.put_subscription(more.pop("name", a_name()), *(types or (FREE,)), **body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made

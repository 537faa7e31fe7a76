"""The resolver of the machine hangs for the names of one organisation."""

from collections.abc import Iterator

import pytest

from deploy.local.ports import LOOPBACK
from tests.builders import FREE, a_name
from tests.bus import Bus, MakeBus
from tests.defective import defective
from tests.integration.webhook.conftest import PERMISSIVE, MakeInbox, hooked
from tests.waiting import eventually

DNS = """
    import socket, time
    whole = socket.getaddrinfo
    def getaddrinfo(host, *more, **named):
        if str(host).endswith(".macet.example"):
            time.sleep(600)
        return whole(host, *more, **named)
    socket.getaddrinfo = getaddrinfo
"""


@pytest.fixture(scope="module")
def names(make_bus: MakeBus, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bus]:
    """A bus whose machine has a resolver that hangs for some names."""
    with make_bus(**PERMISSIVE) as bus:
        bus.start("deliver", **defective(tmp_path_factory.mktemp("dns") / "code", DNS))
        yield bus.run("api")


def test_a_name_server_that_hangs_stops_no_other_organisation(
    names: Bus, make_inbox: MakeInbox
) -> None:
    lain, uji = names.actor("lain"), names.actor("uji")
    for number in range(60):
        url = f"https://n{number}.macet.example/"
        body = {"delivery": "webhook", "terms": {"endpoint": {"url": url}}}
        lain.put_subscription(a_name(), FREE, **body).raise_for_status()
    eventually(lambda: "webhooks.leases_taken" in names.logs())
    inbox = make_inbox()
    hooked(uji, inbox.url.replace(LOOPBACK, "localhost"))
    inbox.wait_for(*[uji.published() for _ in range(5)])

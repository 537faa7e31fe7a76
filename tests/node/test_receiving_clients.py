"""Programs of others receive our events: npm's and Python's packages, and amqp-tools."""

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cloudevents.core.bindings import http
from cloudevents.core.formats.json import JSONFormat
from standardwebhooks import Webhook

from tests.builders import FREE, a_document
from tests.bus import Bus, MakeBus
from tests.integration.webhook.conftest import PERMISSIVE, hooked
from tests.integration.webhook.inbox import Inbox
from tests.node.conftest import Node
from tests.pull_receiver import Puller

STRUCTURED = "application/cloudevents+json"
DATA = {"nama": "Budi é \U0001f600", "n": 12345, "daftar": [1.5, None, {"a": True}]}
SENT = a_document(
    subject="dua kata é", time="2026-05-04T01:02:03Z", partitionkey="k1", data=DATA, urutan="a b"
)


@dataclass(frozen=True)
class Delivery:
    """An event as it arrived, and what verifies it where it is signed."""

    headers: Mapping[str, str]
    body: str
    secret: str | None = None


@pytest.fixture(scope="module")
def bus(make_bus: MakeBus) -> Iterator[Bus]:
    """A bus with every way of delivery."""
    with make_bus(**PERMISSIVE) as bus:
        yield bus.run("api", "relay", "deliver")


@pytest.fixture(scope="module")
def deliveries(bus: Bus) -> dict[str, Delivery]:
    """The same event, received in each way; by amqp-tools where they are installed."""
    uji, inbox = bus.actor("uji"), Inbox()
    try:
        made = hooked(uji, inbox.url)
        queues, pulled = [uji.subscribe(FREE), uji.subscribe(FREE)], Puller(uji, FREE)
        assert uji.publish(SENT).status_code == 202
        (call,) = inbox.wait(1)
    finally:
        inbox.close()
    (handed,), (message,) = pulled.receive(), queues[0].take(1)
    received = {
        "webhook": Delivery(call.headers, call.body.decode(), made["secret"]),
        "pull": Delivery({"content-type": STRUCTURED}, json.dumps(handed["event"])),
        "amqp": Delivery({"content-type": str(message.content_type)}, message.body.decode()),
    }
    if shutil.which("amqp-consume"):
        login = ("-u", queues[1].url, "-q", queues[1].queue)
        command = ("amqp-consume", *login, "-c", "1", "cat")
        read = subprocess.run(command, capture_output=True, timeout=30, check=True)
        received["amqp-tools"] = Delivery({"content-type": STRUCTURED}, read.stdout.decode())
    return received


def expected(event: Mapping[str, Any]) -> None:
    """What was sent is there, and what the bus added."""
    assert {name: event[name] for name in SENT} == SENT
    assert event["sequence"]
    assert event["recordedtime"]
    assert event["dataclassification"] == "public"


def test_npm_verifies_and_reads(
    node: Node, deliveries: dict[str, Delivery], tmp_path: Path
) -> None:
    file = tmp_path / "deliveries.json"
    file.write_text(json.dumps([vars(each) for each in deliveries.values()]))
    done = node("receive.mjs", str(file))
    assert done.returncode == 0, done.stderr
    for way, read in zip(deliveries, json.loads(done.stdout), strict=True):
        event = read["event"]
        if way == "webhook":
            assert (read["verified"], read["forged"]) == (SENT["id"], False)
        assert event["time"].startswith("2026-05-04T01:02:03")
        expected({**event, "time": SENT["time"]})


def test_python_verifies_and_reads(deliveries: dict[str, Delivery]) -> None:
    for way, delivery in deliveries.items():
        body = delivery.body.encode()
        if delivery.secret is not None:
            verified = Webhook(delivery.secret).verify(body, dict(delivery.headers))
            assert (way, verified["id"]) == ("webhook", SENT["id"])
        event = http.from_structured(http.HTTPMessage(dict(delivery.headers), body), JSONFormat())
        moment = event.get_time()
        assert moment is not None
        assert moment.isoformat() == "2026-05-04T01:02:03+00:00"
        expected({**event.get_attributes(), "data": event.get_data(), "time": SENT["time"]})

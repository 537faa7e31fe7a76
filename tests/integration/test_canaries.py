"""Personal data that go in by every way come out nowhere but where the event itself may be read."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import aio_pika
import httpx
import pytest

from tests import canaries
from tests.builders import (
    CITIZEN,
    FREE,
    QUESTIONS,
    a_citizen,
    a_document,
    a_question,
    a_reply,
    an_id,
)
from tests.bus import Actor, Bus, MakeBus, Subscribed
from tests.canaries import NAMES, NUMBERS, SPELLINGS, in_url
from tests.dead_letters import dead, reject
from tests.integration.contracts.registration import (
    a_json_schema,
    a_registration,
    a_type,
    a_version,
)
from tests.integration.test_requests_forged import publish
from tests.integration.webhook.conftest import PERMISSIVE, hooked
from tests.integration.webhook.inbox import Inbox, Reply
from tests.pull_receiver import Puller, tokens
from tests.responders import AmqpResponder
from tests.waiting import eventually

ASKED, PULLED = QUESTIONS[:2]
TEXT = canaries.everything()
VALUES = (*SPELLINGS.values(), *NAMES)


@dataclass
class Planted:
    """What was planted, and every answer that somebody got who may not read the events."""

    bus: Bus
    answers: list[httpx.Response] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    positions: list[tuple[int, int]] = field(default_factory=list)

    def asks(self, by: Actor, method: str, path: str, **more: Any) -> httpx.Response:
        """One call whose answer may hold no canary."""
        self.answers.append(by.call(method, path, **more))
        return self.answers[-1]


@pytest.fixture(scope="module")
def planted(make_bus: MakeBus) -> Iterator[Planted]:
    settings = {**PERMISSIVE, "NUSABUS_DEAD_LETTER_ALERT_HOURS": "0.0001"}
    with make_bus(**settings) as bus:
        bus.run("api", "relay", "deliver")
        bus.grant("lain", "publish", ASKED)
        bus.grant("lain", "publish", PULLED)
        found = Planted(bus)
        for plant in (in_deliveries, in_refusals, in_urls, in_bodies, in_contracts, in_requests):
            plant(found)
        yield found


def an_event(type: str = FREE, **changes: Any) -> dict[str, Any]:
    """An event that is full of canaries."""
    return a_document(
        type=type, **{**canaries.attributes(an_id()), "data": canaries.data(), **changes}
    )


def in_deliveries(planted: Planted) -> None:
    """Events that are accepted, and die over AMQP, pull and webhooks."""
    bus, uji = planted.bus, planted.bus.actor("uji")
    subscribed, puller = uji.subscribe(FREE), Puller(uji, FREE, terms={"attempts": 2})
    inbox = Inbox(
        lambda _: Reply(422, {"retry-after": SPELLINGS["nik"], "x-alasan": TEXT}, TEXT.encode())
    )
    try:
        hook = hooked(uji, inbox.url + "&nik=" + NUMBERS["nik"], FREE)["name"]
        receipt = uji.publish(an_event()).raise_for_status().json()
        planted.positions.append((receipt["shard"], receipt["sequence"]))
        citizen = Puller(uji, CITIZEN)
        data = a_citizen(nik=NUMBERS["nik"], nama=NAMES[0])
        uji.publish(an_event(CITIZEN, data=data)).raise_for_status()
        puller.call("release", tokens=tokens(puller.receive(1)), reason=TEXT[:500])
        puller.call("reject", tokens=tokens(puller.receive(1)), reason=TEXT[:500])
        citizen.call("reject", tokens=tokens(citizen.receive(1)), reason=TEXT[:500])
        reject(subscribed)
        for name in (puller.name, citizen.name, subscribed.name, hook):
            found = eventually(partial(dead, uji, name))
            planted.numbers += [each["number"] for each in found]
    finally:
        inbox.close()
    bus.actor("uji", "publisher").post(
        f"/v1/dead-letters/{planted.numbers[0]}/resend",
        json={"data": {"catatan": TEXT}, "attributes": {"subject": TEXT}},
    )
    uji.post(f"/v1/dead-letters/{planted.numbers[1]}/discard", json={"reason": TEXT[:500]})
    for body in ({"event": an_event()["id"]}, {"source": f"/uji/{NUMBERS['nik']}"}):
        uji.post("/v1/redrives", json=body).raise_for_status()


def in_refusals(planted: Planted) -> None:
    """Events that are refused, each for another reason."""
    uji = planted.bus.actor("uji")
    once = an_event()
    uji.publish(once).raise_for_status()
    refused: list[Any] = [
        {**once, "data": {"lain": TEXT}},
        an_event(CITIZEN),
        an_event(CITIZEN, data=a_citizen(nik=SPELLINGS["nik with dots"], nomor=[TEXT])),
        *(an_event(CITIZEN, data=a_citizen(**{each: 1})) for each in VALUES),
        an_event(f"id.go.uji.{NUMBERS['nik']}.dicatat.v1"),
        an_event(source=f"/lain/{in_url(TEXT)}"),
        an_event(source=TEXT),
        an_event(time=TEXT),
        an_event(dataschema=TEXT),
        an_event(datacontenttype=TEXT),
        an_event(**{TEXT: "x"}),
        *(an_event(**{each: "x"}) for each in VALUES if not each.isdigit()),
        an_event(nik=[TEXT]),
        json.dumps(an_event()).encode()[:-2],
        json.dumps(an_event()).encode().replace(b'"subject"', b'"id"'),
    ]
    for each in refused:
        answer = uji.publish(each)
        assert answer.status_code >= 400, answer.text
        planted.answers.append(answer)
    planted.answers.append(uji.publish_batch([an_event(CITIZEN), {TEXT: TEXT}, TEXT]))
    headers = {"ce-specversion": "1.0", "ce-type": FREE, "content-type": "application/json"}
    for name, value in (("ce-source", "/lain/" + NUMBERS["nik"]), ("ce-time", SPELLINGS["nik"])):
        sent = {**headers, "ce-id": an_id(), "ce-source": "/uji", name: value}
        planted.asks(uji, "POST", "/v1/events", content=b"{", headers=sent)
    for name in ("content-type", "content-encoding", "prefer", "traceparent", "accept"):
        for value in (SPELLINGS["nik"], SPELLINGS["e-mail"]):
            planted.asks(uji, "POST", "/v1/events", content=b"{}", headers={**headers, name: value})


def in_urls(planted: Planted) -> None:
    """Paths and queries: of those who are known, and of strangers."""
    uji, http = planted.bus.actor("uji"), planted.bus.http
    document = http.get("/openapi.json").json()
    for path, operations in document["paths"].items():
        for value in (SPELLINGS["nik"], SPELLINGS["npwp"], SPELLINGS["e-mail"], NAMES[0]):
            filled = "/".join(in_url(value) if "{" in each else each for each in path.split("/"))
            for method in operations:
                query = {
                    "cursor": value,
                    "type": value,
                    "subject": value,
                    "id": value,
                    "source": value,
                    "name": value,
                }
                body: dict[str, Any] | None = {} if method in ("post", "put", "patch") else None
                for by in (uji, planted.bus.admin):
                    if method != "get" or "stream" not in path:
                        planted.asks(by, method.upper(), filled, params=query, json=body)
                planted.answers.append(
                    http.request(method, filled, params=query, json=body, auth=(value, value))
                )


def in_bodies(planted: Planted) -> None:
    """Members of bodies: titles, names, filters, reasons, roles."""
    uji, admin = planted.bus.actor("uji"), planted.bus.admin
    for value in VALUES:
        name = in_url(value)
        terms: list[dict[str, Any]] = [
            {"filters": [{"exact": {"subject": value}}]},
            {"filters": [{"exact": {value: "x"}}]},
            {"filters": [{"sql": f"subject = '{value}' AND ((("}]},
            {"filters": [{value: {"subject": "x"}}]},
            {"endpoint": {"url": f"https://{value}/"}},
            {value: 1},
        ]
        for each in terms:
            planted.asks(
                uji,
                "PUT",
                f"/v1/subscriptions/{name}",
                json={"types": [FREE], "delivery": "pull", "terms": each},
            )
        planted.asks(
            uji, "PUT", "/v1/subscriptions/kenari", json={"types": [value], "delivery": value}
        )
        planted.asks(
            uji, "POST", "/v1/subscriptions/kenari/reject", json={"tokens": [value], value: value}
        )
        planted.asks(uji, "POST", "/v1/subscriptions/kenari/acknowledge", json={"tokens": value})
        planted.asks(uji, "POST", "/v1/subscriptions/kenari/seek", json={"to": value})
        planted.asks(uji, "POST", "/v1/redrives", json={"subscription": [value], value: 1})
        planted.asks(admin, "POST", "/v1/organisations", json={"name": value, "title": [value]})
        planted.asks(
            admin,
            "POST",
            "/v1/clients",
            json={"organisation": value, "title": "x", "roles": [value]},
        )
        planted.asks(
            admin, "POST", "/v1/organisations/uji/grants", json={"action": value, "type": value}
        )
        planted.asks(admin, "POST", "/v1/organisations/uji/sources", json={"prefix": value})
        planted.asks(admin, "POST", "/oauth/token", data={"grant_type": value, "client_id": value})
        planted.asks(uji, "POST", "/v1/clients", content=json.dumps({"a": value})[:-1])
    made = {"organisation": "uji", "title": TEXT[:200], "roles": ["auditor"]}
    admin.post("/v1/clients", json=made).raise_for_status()


def in_contracts(planted: Planted) -> None:
    """Texts of contracts: titles, names, patterns, examples."""
    admin = planted.bus.admin
    type = a_type()
    member = {"type": "string", "title": TEXT, "description": TEXT}
    schema = a_json_schema(description=TEXT, properties={"catatan": member}, required=None)
    good = {"valid": [{"name": "satu", "data": {"catatan": TEXT}}]}
    bad: list[dict[str, Any]] = [
        {"schema": a_json_schema(properties={NAMES[0]: {"type": TEXT}})},
        {"schema": a_json_schema(properties={"a": {"$ref": f"#/{TEXT}"}})},
        {"schema": a_json_schema(properties={"a": {"pattern": f"({TEXT}"}})},
        {"schema": a_json_schema(properties={"a": {"format": TEXT}})},
        {"examples": {"valid": [{"name": NUMBERS["nik"], "data": {"n": TEXT}}], "invalid": []}},
        {"examples": {"valid": [{"name": "satu", "data": {NAMES[0]: 1}}], "invalid": []}},
        {"ordering": {"key": TEXT, "description": TEXT}},
    ]
    for each in bad:
        planted.asks(admin, "POST", "/v1/contracts", json=a_registration(a_type(), **each))
    planted.asks(admin, "POST", "/v1/contracts/lint", json=a_registration(type, schema=schema))
    invalid = [{"name": "kosong", "keyword": "type", "data": []}]
    made = a_registration(
        type, schema=schema, title=TEXT[:200], examples={**good, "invalid": invalid}
    )
    admin.post("/v1/contracts", json=made).raise_for_status()
    planted.asks(
        admin, "POST", f"/v1/contracts/{type}/versions", json=a_version(), headers={"if-match": "*"}
    )


def in_requests(planted: Planted) -> None:
    """Requests, and replies that are refused, over AMQP and HTTP."""
    uji, lain = planted.bus.actor("uji"), planted.bus.actor("lain")
    subscribed = uji.subscribe(ASKED)
    question = a_question(
        ASKED, subject=TEXT[:300], data={"nik": SPELLINGS["nik"], "nama": NAMES[0]}
    )

    def answer(asked: dict[str, Any]) -> Any:
        return a_reply(asked, data={TEXT: TEXT, "nama": NAMES[0]}, warga=TEXT)

    with AmqpResponder(subscribed.url, subscribed.queue, answer) as responder:
        planted.answers.append(lain.ask(question, wait=1))
        eventually(lambda: responder.done)
    forge(subscribed)
    puller = Puller(uji, PULLED)
    place = lain.ask(a_question(PULLED, subject=TEXT[:300])).headers["location"]
    asked = puller.receive(1)[0]["event"]
    wrong = a_reply(asked, data={TEXT: TEXT}, warga=TEXT)
    planted.answers.append(uji.answer(place.rpartition("/")[2], wrong))
    planted.answers.append(lain.ask(a_question(PULLED, data={TEXT: TEXT})))


def forge(subscribed: Subscribed) -> None:
    """Replies that are none."""
    for correlation in (TEXT[:200], NUMBERS["nik"], "0" * 32):
        message = aio_pika.Message(
            TEXT.encode(),
            content_type=TEXT[:200],
            correlation_id=correlation,
            headers={"nama": TEXT},
        )
        assert publish(subscribed.url, "bus.replies", subscribed.queue, message) is None


def pages(actor: Actor, path: str, **query: Any) -> str:
    """All pages of a list as text."""
    text, cursor = "", None
    while True:
        asked = {**query, "limit": 200, **({"cursor": cursor} if cursor else {})}
        answer = actor.get(path, params=asked).raise_for_status()
        text += json.dumps(answer.json()["items"], ensure_ascii=False, indent=0)
        cursor = answer.json()["next"]
        if cursor is None:
            return text


def test_errors_hold_none(planted: Planted) -> None:
    leaks = {}
    for each in planted.answers:
        shown = each.text + json.dumps(dict(each.headers))
        # The text of a schema is its author's, who publishes it: there numbers alone are masked.
        names = not each.request.url.path.startswith("/v1/contracts")
        if each.status_code >= 400 and (found := canaries.found_in(shown, names=names)):
            leaks[f"{each.request.method} {each.request.url.path[:60]} {each.text[:300]}"] = found
    assert len(planted.answers) > 500
    assert [f"{found} {shown}" for shown, found in leaks.items()] == []


def test_logs_hold_none(planted: Planted) -> None:
    eventually(lambda: "dead_letters.unseen_reported" in planted.bus.logs())
    assert canaries.where(planted.bus.logs()) == []


def test_metrics_hold_none(planted: Planted) -> None:
    assert canaries.where(planted.bus.metrics()) == []


@pytest.mark.parametrize(
    ("organisation", "roles"),
    [("nusabus", ("admin",)), ("nusabus", ("auditor",)), ("uji", ("admin",))],
    ids=str,
)
def test_who_may_not_read_events_sees_none(
    planted: Planted, organisation: str, roles: tuple[str, ...]
) -> None:
    reader = planted.bus.actor(organisation, *roles)
    assert canaries.where(pages(reader, "/v1/refusals")) == []
    assert canaries.where(pages(reader, "/v1/dead-letters")) == []
    for number in planted.numbers:
        answer = reader.get(f"/v1/dead-letters/{number}").raise_for_status()
        assert canaries.found_in(answer.text) == [], answer.text
    for shard, sequence in planted.positions:
        for path in (f"/v1/events/{shard}/{sequence}", f"/v1/events/{shard}/{sequence}/deliveries"):
            assert canaries.found_in(reader.get(path).text) == []
    assert canaries.where(pages(reader, "/v1/redrives")) == []


def test_what_is_marked_is_shown_to_nobody(planted: Planted) -> None:
    uji = planted.bus.actor("uji")
    for number in planted.numbers:
        shown = uji.get(f"/v1/dead-letters/{number}").raise_for_status().json()
        if shown["type"] == CITIZEN:
            assert canaries.found_in(json.dumps(shown["data"])) == []


def test_the_search_finds_what_it_should() -> None:
    for text in VALUES:
        for form in (text, in_url(text), json.dumps({"a": text}), text.encode().hex()):
            assert canaries.found_in(form), form
    assert canaries.found_in(NUMBERS["nik"].encode("cp037").hex())
    assert canaries.found_in("2026-11-28T21:28:19Z 4c1b8bd5a8f1b1fd1a7b6f4e9f0a2c3d") == []

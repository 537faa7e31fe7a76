"""Plants canaries, which look like personal data, on every way in."""

import json
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import aio_pika
import httpx

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
from tests.bus import Actor, Bus, Subscribed
from tests.canaries import NAMES, NUMBERS, SPELLINGS, in_url
from tests.dead_letters import dead, reject
from tests.integration.contracts.registration import (
    a_json_schema,
    a_registration,
    a_type,
    a_version,
)
from tests.integration.test_requests_forged import publish
from tests.integration.webhook.conftest import hooked
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
        # Before they are redriven: the alert is a place to look at as well.
        eventually(lambda: "dead_letters.unseen_reported" in bus.logs())
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


def terms_with(value: str) -> list[dict[str, Any]]:
    """Terms of a subscription that hold a value in every member."""
    return [
        {"filters": [{"exact": {"subject": value}}]},
        {"filters": [{"exact": {value: "x"}}]},
        {"filters": [{"sql": f"subject = '{value}' AND ((("}]},
        {"filters": [{value: {"subject": "x"}}]},
        {"endpoint": {"url": f"https://{value}/"}},
        {value: 1},
    ]


def in_bodies(planted: Planted) -> None:
    """Members of bodies: titles, names, filters, reasons, roles."""
    uji, admin = planted.bus.actor("uji"), planted.bus.admin
    for value in VALUES:
        name = in_url(value)
        for each in terms_with(value):
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

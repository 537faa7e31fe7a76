"""`POST /v1/events` on a running bus: what is accepted, what is refused, and how it is said."""

import gzip
import hashlib
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.builders import (
    CITIZEN,
    FOREIGN,
    FREE,
    NIK,
    QUESTION,
    a_citizen,
    a_document,
    an_id,
)
from tests.bus import STRUCTURED, Actor, Bus
from tests.problems import problem_of
from tests.waiting import eventually


@pytest.fixture
def uji(bus: Bus) -> Actor:
    return bus.actor("uji")


def binary(uji: Actor, document: Mapping[str, Any], **headers: str) -> httpx.Response:
    """Publish the same event in binary mode."""
    sent = {f"ce-{n}": quote(str(v)) for n, v in document.items() if n != "data"}
    content = json.dumps(document["data"], separators=(",", ":"))
    return uji.post(
        "/v1/events", content=content, headers={"content-type": "application/json", **sent}
    )


def test_an_event_gets_a_receipt_and_is_in_the_journal(bus: Bus, uji: Actor) -> None:
    event = a_document()
    answer = uji.publish(event)
    assert answer.status_code == 202
    receipt = answer.json()
    assert (receipt["id"], receipt["source"]) == (event["id"], event["source"])
    assert receipt["duplicate"] is False
    assert answer.headers["location"] == f"/v1/events/{receipt['shard']}/{receipt['sequence']}"
    rows = bus.query(
        "SELECT encode(digest, 'hex'), client FROM journal_entries WHERE id = $1", event["id"]
    )
    assert [tuple(row) for row in rows] == [(receipt["digest"], uji.id)]


def test_the_same_event_in_every_mode_is_one_event(uji: Actor) -> None:
    event = a_document(subject="é 100%", data={"n": 1})
    compact = json.dumps(event, separators=(",", ":")).encode()
    zipped = {"content-encoding": "gzip"}
    answers = [
        uji.publish(compact),
        uji.publish(compact),
        binary(uji, event),
        uji.publish(gzip.compress(compact), **zipped),
        uji.publish({**event, "traceparent": f"00-{'1' * 32}-{'2' * 16}-01"} | {"data": {"n": 1}}),
    ]
    batch = uji.publish_batch(b"[%b]" % compact)
    assert [each.status_code for each in answers] == [202] * 5  # a space more is the same event
    receipts = [each.json() for each in answers] + [batch.json()["results"][0]["receipt"]]
    assert [receipt.pop("duplicate") for receipt in receipts] == [False, *[True] * 5]
    assert all(receipt == receipts[0] for receipt in receipts)


def test_an_id_identifies_one_event_for_ever(bus: Bus, uji: Actor) -> None:
    event = a_document()
    assert uji.publish(event).status_code == 202
    for change in ({"data": {"n": 2}}, {"subject": "s2"}, {"partitionkey": "p"}):
        problem_of(uji.publish({**event, **change}), 409, "identifier-reused")
    elsewhere = uji.publish({**event, "source": "/uji/other"})
    assert elsewhere.json()["duplicate"] is False
    assert len(bus.query("SELECT 1 FROM journal_entries WHERE id = $1", event["id"])) == 2


def test_data_are_kept_as_they_came(bus: Bus, uji: Actor) -> None:
    data = (
        b'{ "z" : 1.50E+2,\t"a":[ 9007199254740993, -0.0, 1e-7 ] ,\n "\\u00e9":"\\u00e9 \xc3\xa9" }'
    )
    event_id = an_id()
    head = f'{{"specversion":"1.0","id":"{event_id}","source":"/uji","type":"{FREE}","data": '
    assert uji.publish(head.encode() + data + b" }").status_code == 202
    (row,) = bus.query("SELECT data FROM journal_entries WHERE id = $1", event_id)
    assert row["data"] == data


def test_every_violation_is_reported_and_no_value(bus: Bus, uji: Actor) -> None:
    data = a_citizen(nik=NIK[:-1], nama="RAHASIA" * 20, nomor=["327301"] * 30, alamat="Jalan X")
    event = a_document(type=CITIZEN, data={**data, NIK: 1})
    answer = uji.publish(event)
    problem = problem_of(answer, 422, "contract-violation")
    assert (problem["contract"], problem["version"]) == (CITIZEN, 1)
    assert problem["total"] == 33
    assert len(problem["violations"]) == 20
    places = {(each["pointer"], each["keyword"]) for each in problem["violations"]}
    assert {("/nik", "pattern"), ("/nama", "maxLength"), ("/nomor/0", "type")} & places
    assert all(set(each) == {"pointer", "keyword", "message"} for each in problem["violations"])
    (row,) = bus.query("SELECT refusals::text FROM refusals WHERE id = $1", event["id"])
    for kept in (answer.text, row[0], bus.logs()):
        for value in (NIK, NIK[:-1], "RAHASIA", "Jalan X"):
            assert value not in kept


@pytest.mark.parametrize("data", [None, [], "x", 7])
def test_data_of_another_kind_break_the_contract(uji: Actor, data: Any) -> None:
    problem = problem_of(uji.publish(a_document(data=data)), 422, "contract-violation")
    assert problem["violations"][0]["pointer"] == ""
    assert problem["violations"][0]["keyword"] == "type"


def test_bytes_are_no_data_for_a_json_contract(uji: Actor) -> None:
    event = a_document(data=None, data_base64="AAEC", datacontenttype="application/octet-stream")
    problem_of(uji.publish(event), 422, "contract-violation")


def text(data: str) -> bytes:
    return (
        f'{{"specversion":"1.0","id":"{an_id()}","source":"/uji","type":"{FREE}","data":{data}}}'
    ).encode()


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "malformed"),
        (b"{", 400, "malformed"),
        (b"[]", 400, "malformed"),
        (b"null", 400, "malformed"),
        (b"\xff", 400, "malformed"),
        (b"\xef\xbb\xbf{}", 400, "malformed"),
        (text('{"a":1,"a":2}'), 400, "malformed"),
        (text('{"a":{"b":[{"c":1,"c":1}]}}'), 400, "malformed"),
        (text("{}")[:-1] + b',"data":{}}', 400, "malformed"),
        (text("{}")[:-1] + b',"id":"again"}', 400, "malformed"),
        (text('{"a":NaN}'), 400, "malformed"),
        (text('{"a":-Infinity}'), 400, "malformed"),
        (text('{"a":1e999}'), 400, "malformed"),
        (text('{"a":01}'), 400, "malformed"),
        (text('{"a":"\\ud800"}'), 400, "malformed"),
        (text('{"\\udc00":1}'), 400, "malformed"),
        (text('{"a":"\x00"}'), 400, "malformed"),
        (text("{}").replace(b'"data":{}', b'"data":{"a":"\xc3\x28"}'), 400, "malformed"),
        (text('{"a":' + "[" * 64 + "]" * 64 + "}"), 400, "malformed"),
        (text('{"a":' + "[" * 500_000 + "]" * 500_000 + "}"), 400, "malformed"),
        (text('{"a":' + "[" * 100_000), 400, "malformed"),
        (text('"' + "x" * (1 << 20) + '"'), 413, "too-large"),
        (text('"' + "x" * (5 << 20) + '"'), 413, "too-large"),
        (text("{}") + b"x", 400, "malformed"),
        (text("{}").replace(b"1.0", b"0.3"), 400, "malformed"),
        (text("{}").replace(b"/uji", b""), 400, "malformed"),
        (text("{}")[:-1] + b',"comexampleExt":"x"}', 400, "malformed"),
        (text("{}")[:-1] + b',"sequence":"1"}', 400, "malformed"),
        (text("{}")[:-1] + b',"time":"yesterday"}', 400, "malformed"),
        (text("{}")[:-1] + b',"data_base64":"AA=="}', 400, "malformed"),
        (text('{"a":' + "[" * 62 + "]" * 62 + "}"), 202, ""),
        (text('{"a":' + "9" * 300 + "}"), 202, ""),
        (text('{"' + "k" * 900_000 + '":1}'), 202, ""),
    ],
    ids=lambda value: None if isinstance(value, bytes) else str(value),
)
def test_invalid_events(uji: Actor, body: bytes, status: int, code: str) -> None:
    answer = uji.publish(body)
    assert answer.status_code == status, answer.text[:300]
    if status >= 400:
        problem_of(answer, status, code)


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"content-type": "application/json"}, b"{}", 415),
        ({"content-type": "text/plain"}, b"{}", 415),
        ({"content-type": "application/cloudevents+xml"}, b"<a/>", 415),
        ({"content-type": "application/cloudevents+json; charset=latin1"}, b"{}", 415),
        ({"content-type": "x" * 300}, b"{}", 415),
        ({}, b"{}", 415),
        ({**STRUCTURED, "content-encoding": "br"}, b"{}", 415),
        ({**STRUCTURED, "content-encoding": "gzip"}, b"{}", 400),
        pytest.param(
            {**STRUCTURED, "content-encoding": "gzip"},
            gzip.compress(text("{}"))[:-9],
            400,
            id="gzip that was cut off",
        ),
        (
            {**STRUCTURED, "content-encoding": "gzip"},
            gzip.compress(b" " * (32 << 20), mtime=0),
            413,
        ),
        ({"content-type": "application/json", "ce-id": "1"}, b"{}", 400),
    ],
    ids=str,
)
def test_unreadable_requests(uji: Actor, headers: dict[str, str], body: bytes, status: int) -> None:
    answer = uji.post("/v1/events", content=body, headers=headers)
    assert answer.status_code == status, answer.text


# Rights


def test_a_stranger_learns_nothing(bus: Bus, uji: Actor) -> None:
    known, unknown = a_document(type=FOREIGN), a_document(type="id.go.lain.tak.ada.v1")
    answers = [uji.publish(each) for each in (known, unknown)]
    assert {each.status_code for each in answers} == {403}
    assert answers[0].content == answers[1].content
    anonymous = [
        bus.http.post("/v1/events", content=json.dumps(each), headers=STRUCTURED | headers)
        for each in (known, unknown, {"type": 1})
        for headers in ({}, {"authorization": "Bearer x.y.z"})
    ]
    assert {each.status_code for each in anonymous} == {401}
    assert len({each.content for each in anonymous}) == 1
    problem_of(bus.actor("uji", "subscriber").publish(known), 403, "forbidden")


def test_a_grant_opens_a_type_and_its_end_closes_it(bus: Bus) -> None:
    uji = bus.actor("uji")
    place = bus.grant("uji", "publish", FOREIGN)
    eventually(lambda: uji.publish(a_document(type=FOREIGN)).status_code == 202)
    assert bus.admin.delete(place).status_code == 204
    eventually(lambda: uji.publish(a_document(type=FOREIGN)).status_code == 403)


def test_a_request_is_not_published(uji: Actor) -> None:
    problem_of(uji.publish(a_document(type=QUESTION)), 422, "invalid")


def test_a_refusal_keeps_the_digest_of_what_was_sent(bus: Bus, uji: Actor) -> None:
    body = b'{"specversion": "1.0", ' + an_id().encode()
    assert uji.publish(body).status_code == 400
    digest = hashlib.sha256(body).hexdigest()
    assert digest in uji.get("/v1/refusals").text

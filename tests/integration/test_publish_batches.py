"""`POST /v1/events` with many events: each answered in its place, or all or nothing."""

import gzip
import json
from typing import Any

import pytest

from tests.builders import FOREIGN, QUESTION, a_document
from tests.bus import BATCHED, Actor, Bus
from tests.problems import problem_of


@pytest.fixture
def uji(bus: Bus) -> Actor:
    return bus.actor("uji")


def test_each_event_of_a_batch_has_its_result_in_order(bus: Bus, uji: Actor) -> None:
    good, known, twice = a_document(), a_document(), a_document()
    uji.publish(known)
    batch: list[Any] = [
        good,
        a_document(data=[]),
        known,
        {**known, "subject": "another"},
        a_document(type=FOREIGN),
        5,
        twice,
        twice,
        {**twice, "subject": "another"},
        a_document(id=""),
        a_document(data={"x": "y" * (1 << 20)}),
        a_document(type=QUESTION),
    ]
    answer = uji.publish_batch(batch)
    assert answer.status_code == 207
    body = answer.json()
    statuses = [each["status"] for each in body["results"]]
    assert statuses == [202, 422, 202, 409, 403, 400, 202, 202, 409, 400, 413, 422]
    assert (body["accepted"], body["refused"]) == (4, 8)
    receipts = [body["results"][n]["receipt"] for n in (0, 2, 6, 7)]
    assert [each["duplicate"] for each in receipts] == [False, True, False, True]
    assert [each["id"] for each in receipts] == [
        good["id"], known["id"], twice["id"], twice["id"],
    ]  # fmt: skip
    assert body["results"][9]["problem"]["pointer"] == "/9/id"
    stored = bus.query(
        "SELECT id FROM journal_entries WHERE id = ANY($1)",
        [each["id"] for each in batch if isinstance(each, dict)],
    )
    assert {row["id"] for row in stored} == {good["id"], known["id"], twice["id"]}


def test_a_batch_keeps_its_order_per_key(uji: Actor) -> None:
    batch = [a_document(subject=f"s{n % 7}") for n in range(1000)]
    results = uji.publish_batch(batch).json()["results"]
    for key in range(7):
        places = [each["receipt"]["sequence"] for each in results[key::7]]
        assert places == sorted(places)
        assert len({each["receipt"]["shard"] for each in results[key::7]}) == 1


def test_all_or_nothing(bus: Bus, uji: Actor) -> None:
    batch = [a_document() for _ in range(3)]
    known = a_document()
    uji.publish(known)
    spoilers: list[tuple[Any, int]] = [
        (a_document(data=[]), 422),
        (5, 422),
        ({**known, "subject": "another"}, 409),
    ]
    for spoiler, status in spoilers:
        answer = uji.publish_batch([*batch, spoiler], atomic=True)
        assert answer.status_code == status, answer.text
        ids = [each["id"] for each in batch]
        assert bus.query("SELECT id FROM journal_entries WHERE id = ANY($1)", ids) == []
    refused = uji.publish_batch([*batch, 5], atomic=True).json()
    assert [each["status"] for each in refused["results"]] == [424, 424, 424, 400]
    assert refused["accepted"] == 0
    stored = uji.publish_batch([*batch, known], atomic=True)
    assert [each["receipt"]["duplicate"] for each in stored.json()["results"]] == [
        False, False, False, True,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{}", 400),
        (b"[", 400),
        (b"\xff", 400),
        (b"[1,]", 400),
        (json.dumps([a_document(id="x", data={"n": n}) for n in range(1001)]).encode(), 413),
        (b"[" + b"0," * 1_000_000 + b"0]", 413),
        (b'["' + b"x" * (4 << 20) + b'"]', 413),
        (b"[" * 200_000 + b"]" * 200_000, 400),
    ],
    ids=lambda value: None if isinstance(value, bytes) else str(value),
)
def test_invalid_batches(uji: Actor, body: bytes, status: int) -> None:
    answer = uji.publish_batch(body)
    assert answer.status_code == status, answer.text[:300]


@pytest.mark.parametrize("query", ["", "?atomic=false", "?atomic=true"])
def test_an_empty_batch_stores_nothing_and_is_answered(uji: Actor, query: str) -> None:
    """`[]` is a valid batch (CloudEvents 1.0.2, JSON format, section 4)."""
    for content in (b"[]", b" [ ] "):
        answer = uji.post(f"/v1/events{query}", content=content, headers=BATCHED)
        assert answer.status_code == 207, answer.text
        assert answer.json() == {"accepted": 0, "refused": 0, "results": []}


def test_a_compression_bomb_in_a_batch(uji: Actor) -> None:
    headers = {**BATCHED, "content-encoding": "gzip"}
    body = gzip.compress(b"[" + b" " * (32 << 20) + b"]")
    answer = uji.post("/v1/events", content=body, headers=headers)
    problem_of(answer, 413, "too-large")


def test_an_invalid_query_is_refused(uji: Actor) -> None:
    for query in ("atomic=yes", "atomic=true&atomic=true", "atmoic=true"):
        answer = uji.post(f"/v1/events?{query}", content="[]", headers=BATCHED)
        problem_of(answer, 422, "invalid")

"""Server-sent events on a running bus: exactly behind the last id, and an end with the right."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from tests.builders import FREE, a_name
from tests.bus import Actor, Bus


@pytest.fixture
def uji(bus: Bus) -> Actor:
    return bus.actor("uji")


def a_stream(actor: Actor, **more: Any) -> str:
    name = a_name()
    answer = actor.put_subscription(name, FREE, delivery="stream", **more)
    assert answer.status_code == 201, answer.text
    return f"/v1/subscriptions/{name}/stream"


@contextmanager
def reading(actor: Actor, path: str, last: str | None = None) -> Iterator[Iterator[dict[str, Any]]]:
    """The events of a stream, each with its id in the stream as `cursor`."""
    headers = {**actor.headers, **({"last-event-id": last} if last else {})}
    with (
        httpx.Client(base_url=actor.bus.http.base_url, timeout=20) as client,
        client.stream("GET", path, headers=headers) as answer,
    ):
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield events(answer.iter_lines())


def events(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    cursor, data = "", []
    for line in lines:
        if line.startswith("id: "):
            cursor = line[4:]
        elif line.startswith("data: "):
            data.append(line[6:])
        elif not line and data:
            yield {"cursor": cursor, "event": json.loads("\n".join(data))}
            data = []


def take(found: Iterator[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    return [next(found) for _ in range(count)]


def ids(found: list[dict[str, Any]]) -> list[str]:
    return [each["event"]["id"] for each in found]


def test_events_come_as_they_are_published(uji: Actor) -> None:
    path = a_stream(uji)
    before = uji.published(data={"é": "a\nb"})
    with reading(uji, path) as found:
        first = take(found, 1)
        sent = [uji.published(subject="a") for _ in range(3)]
        assert ids(first) == [before]
        assert first[0]["event"]["data"] == {"é": "a\nb"}
        assert ids(take(found, 3)) == sent


def test_a_reader_goes_on_exactly_behind_the_last_id(uji: Actor) -> None:
    path = a_stream(uji)
    sent = [uji.published() for _ in range(10)]
    with reading(uji, path) as found:
        first = take(found, 4)
    with reading(uji, path, first[-1]["cursor"]) as found:
        rest = take(found, 6)
    assert sorted(ids(first + rest)) == sorted(sent)
    with reading(uji, path) as found:  # what arrived by the id is known
        assert ids(take(found, 6)) == ids(rest)


@pytest.mark.parametrize(
    "last",
    ["x", "", "1.2.3.4", ":", "{}:", "{}:1", "{}:1.2.3.4.5", "{}:9", "{}:-1.0.0.0", "{}:1.2.3.٤",
     "{}:9999999.0.0.0", "{}:0.0.0." + "9" * 30, "XXXXXXXXXXXX:0.0.0.0", "{}:0.0.0.0\t."],
)  # fmt: skip
def test_an_invalid_last_event_id(bus: Bus, uji: Actor, last: str) -> None:
    ((present,),) = bus.query("SELECT id FROM journal_incarnations")
    given = last.format(present).encode()
    answer = uji.get(a_stream(uji), headers={**uji.headers, "last-event-id": given})
    assert answer.status_code == 422, answer.text


def test_filters_hold_and_other_ways_are_refused(uji: Actor) -> None:
    path = a_stream(uji, terms={"filters": [{"exact": {"subject": "a"}}]})
    uji.published(subject="b")
    wanted = uji.published(subject="a")
    with reading(uji, path) as found:
        assert ids(take(found, 1)) == [wanted]
    pulled = a_name()
    uji.put_subscription(pulled, FREE, delivery="pull")
    assert uji.get(f"/v1/subscriptions/{pulled}/stream").status_code == 409
    assert uji.post(path.replace("stream", "pause")).status_code == 200
    assert uji.get(path).status_code == 409


def test_a_stream_is_ones_own(bus: Bus, uji: Actor) -> None:
    assert bus.actor("lain").get(a_stream(uji)).status_code == 404
    assert bus.http.get(a_stream(uji)).status_code == 401


def test_events_are_as_the_document_describes_them(bus: Bus, uji: Actor) -> None:
    path = a_stream(uji)
    uji.published(subject="a", partitionkey="k")
    document = bus.http.get("/openapi.json").json()
    schema = {**document, "$ref": "#/components/schemas/DeliveredEvent"}
    with reading(uji, path) as found:
        Draft202012Validator(schema).validate(take(found, 1)[0]["event"])

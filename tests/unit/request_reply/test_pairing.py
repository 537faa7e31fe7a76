"""Requests and replies as pairs: deadlines, names, and what a reply may say of itself."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway import request_reply
from gateway.base.errors import Invalid, Malformed
from gateway.base.event import Event
from tests.builders import QUESTION, an_event

NOW = datetime(2026, 5, 4, 8, tzinfo=UTC)


def a_request(**attributes: Any) -> Event:
    return an_event(type=QUESTION, attributes=attributes)


def an_answer(type: str = f"{QUESTION}.reply", **attributes: Any) -> Event:
    return an_event(type=type, source="/penjawab", attributes=attributes)


def paired(request: Event, reply: Event) -> Event:
    return request_reply.pair_reply(request, reply, requester="lain", until=NOW)


def test_a_request_is_named_by_its_identity() -> None:
    request = a_request()
    id = request.identity.hex()
    assert request_reply.identity_of_request(id) == request.identity
    for other in ("", id[:-1], id.upper() + "g", f"{id}\n", "é" * 32):
        assert request_reply.identity_of_request(other) is None


@pytest.mark.parametrize(
    ("said", "until"),
    [
        (None, NOW + timedelta(seconds=30)),
        ("2026-05-04T08:00:05Z", NOW + timedelta(seconds=5)),
        ("2026-05-04T15:00:05.5+07:00", NOW + timedelta(seconds=5.5)),
        ("2026-05-04t08:00:05z", NOW + timedelta(seconds=5)),
    ],
)
def test_a_deadline(said: str | None, until: datetime) -> None:
    request = a_request(**({"expirytime": said} if said else {}))
    assert request_reply.deadline(request, NOW) == until


@pytest.mark.parametrize(
    "said", ["soon", "2026-05-04", "2026-05-04T08:00:05", 7, "9999-01-01T00:00:00Z"]
)
def test_what_is_no_deadline(said: Any) -> None:
    with pytest.raises(Invalid):
        request_reply.validate_request(a_request(expirytime=said))


def test_a_deadline_that_has_passed_is_none_for_a_new_request() -> None:
    request = a_request(expirytime="2020-01-01T00:00:00Z")
    request_reply.validate_request(request)
    assert request_reply.expired(request, NOW)
    with pytest.raises(Invalid):
        request_reply.require_not_expired(request)
    request_reply.require_not_expired(a_request())


@pytest.mark.parametrize("name", ["requestid", "requestedby", "requestexpiry"])
def test_a_requester_sets_no_attribute_of_the_gateway(name: str) -> None:
    with pytest.raises(Malformed) as caught:
        request_reply.validate_request(a_request(**{name: "0" * 32}))
    assert caught.value.pointer == f"/{name}"


def test_what_a_responder_gets_names_the_request_and_its_deadline() -> None:
    request = a_request(purpose="uji")
    got = request_reply.outgoing_request(request, NOW)
    assert got.attributes == {
        "purpose": "uji",
        "requestid": request.identity.hex(),
        "expirytime": "2026-05-04T08:00:30Z",
    }
    assert (got.id, got.source, got.data) == (request.id, request.source, request.data)


def test_a_reply_names_its_request() -> None:
    request = a_request(correlationid="alur")
    reply = paired(request, an_answer(other="x"))
    assert reply.attributes == {
        "other": "x",
        "requestid": request.identity.hex(),
        "requestedby": "lain",
        "requestexpiry": "2026-05-04T08:00:00Z",
        "causationid": request.id,
        "correlationid": "alur",
    }
    assert reply.identity == request_reply.reply_identity(request.identity)
    assert reply.identity != request_reply.reply_identity(a_request().identity)


def test_a_reply_that_says_it_itself_is_the_same_reply() -> None:
    request = a_request()
    bare = an_answer()
    spoken = an_answer(requestid=request.identity.hex(), causationid=request.id, requestedby="lain")
    one, other = (
        paired(request, Event(bare.id, bare.source, each.type, None, each.attributes))
        for each in (bare, spoken)
    )
    assert one.digest == other.digest


@pytest.mark.parametrize(
    "attributes",
    [
        {"requestid": "0" * 32},
        {"requestedby": "asing"},
        {"requestexpiry": "2999-01-01T00:00:00Z"},
        {"causationid": "another"},
        {"correlationid": "another"},
    ],
)
def test_a_reply_to_another_request(attributes: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as caught:
        paired(a_request(correlationid="alur"), an_answer(**attributes))
    assert (caught.value.pointer or "").removeprefix("/") in attributes


@pytest.mark.parametrize("type_", [QUESTION, "id.go.uji.lain.dicatat.v1.reply"])
def test_a_reply_of_another_type(type_: str) -> None:
    with pytest.raises(Invalid):
        paired(a_request(), an_answer(type_))

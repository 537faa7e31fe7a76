"""Every error of the tree has its place on the wire, and no national id gets there."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from gateway.base import errors
from gateway.base.masking import mask
from gateway.http import problems
from gateway.http.cloud_event import locate
from tests.builders import NIK
from tests.openapi import openapi_document


def every(kind: type[errors.NusabusError]) -> Iterator[type[errors.NusabusError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from every(below)


def made(kind: type[errors.NusabusError]) -> errors.NusabusError:
    """An error of a class, whatever its constructor asks for."""
    violation = errors.Violation("/nik", "pattern", "the value does not match")
    special: dict[type, Callable[[], errors.NusabusError]] = {
        errors.IdentifierReused: errors.IdentifierReused,
        errors.ContractViolation: lambda: errors.ContractViolation("t", 1, [violation], 21),
        errors.FailedDependency: errors.FailedDependency,
    }
    try:
        return special[kind]() if kind in special else kind(f"about {NIK}")
    except TypeError:
        pytest.skip(f"{kind.__name__} is made by its own noun")


@pytest.mark.parametrize("kind", list(every(errors.NusabusError)))
def test_every_error_is_told(kind: type[errors.NusabusError]) -> None:
    response = problems.response(made(kind))
    described = msgspec.json.decode(response.body)
    assert described["status"] == response.status_code >= 400
    assert described["type"] == f"https://nusabus.go.id/problems/{kind.code}"
    assert described["title"]
    assert NIK not in bytes(response.body).decode()
    assert ("retry-after" in response.headers) is issubclass(
        kind, errors.Unavailable | errors.TooManyRequests
    )
    assert ("www-authenticate" in response.headers) is issubclass(kind, errors.NotAuthenticated)


def test_the_most_special_class_decides() -> None:
    assert problems.status_of(errors.IdentifierReused()) == 409
    assert problems.status_of(errors.BacklogFull("x")) == 503
    assert problems.status_of(errors.Refused("x")) == 400
    assert problems.status_of(errors.NusabusError("x")) == 500


def test_where_it_was_is_told() -> None:
    described = problems.describe(errors.Malformed("x", pointer=f"data/{NIK}/0", byte=7))
    assert (described["pointer"], described["byte"]) == ("data/…/0", 7)


def test_violations_are_listed_with_their_number() -> None:
    described = problems.describe(made(errors.ContractViolation))
    assert (described["contract"], described["version"], described["total"]) == ("t", 1, 21)
    assert len(described["violations"]) == 1


def test_what_an_error_reports_has_members_of_its_own_in_the_description() -> None:
    report: dict[str, Any] = {
        "compatibility": {
            "outcome": "incompatible",
            "mode": "backward",
            "policy": "strict",
            "against": 1,
            "part": "schema",
            "direction": "backward",
            "changes": [{"pointer": "/n", "text": "narrower"}],
            "counterexample": {"document": msgspec.Raw(b"9007199254740993.0"), "reason": "too big"},
        },
        "impact": {
            "subscriptions": [{"organisation": "uji", "name": "a"}],
            "publishers": [{"organisation": "uji", "last_published": None}],
        },
    }
    answer = bytes(problems.response(errors.Incompatible("x", report)).body)
    assert b'"document":9007199254740993.0' in answer  # to the last digit
    described = json.loads(answer)
    document = described["compatibility"]["counterexample"].pop("document")
    assert document == 9007199254740993.0
    del report["compatibility"]["counterexample"]["document"]
    assert {name: described[name] for name in report} == report
    members = openapi_document()["components"]["schemas"]["Problem"]["properties"]
    assert {name: members[name]["$ref"].rpartition("/")[2] for name in report} == {
        "compatibility": "CompatibilityReport",
        "impact": "Impact",
    }


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("nothing", "nothing"),
        ("12345678", "12345678"),
        ("123456789", "…"),
        (f"a{NIK}b", "a…b"),
        (f"{NIK} {NIK}", "… …"),
        ("2026-05-04T03:02:01Z", "2026-05-04T03:02:01Z"),
    ],
)
def test_masking(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize(
    ("pointer", "found"),
    [
        ("/id", (None, "ce-id")),
        ("/datacontenttype", (None, "content-type")),
        ("/data/nik/0", ("/nik/0", None)),
        ("/data", ("", None)),
        (None, (None, None)),
    ],
)
def test_in_binary_mode_attributes_are_headers_and_the_body_is_the_data(
    pointer: str | None, found: tuple[str | None, str | None]
) -> None:
    error = errors.Malformed("x", pointer=pointer)
    locate(error, [(b"content-type", b"application/cloudevents+json; charset=utf-8")])
    assert error.pointer == pointer
    locate(error, [(b"ce-id", b"1"), (b"content-type", b"application/json")])
    assert (error.pointer, error.parameter) == found

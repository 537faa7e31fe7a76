"""Example events."""

from typing import Any

import pytest

from gateway.contracts.code import example_event
from gateway.contracts.values import Ordering
from tests.builders import FREE, a_contract

URL = "https://bus.example.go.id/v1/contracts/x/versions/1/schema"
SCHEMA: dict[str, Any] = {
    "properties": {
        "nik": {"type": "string", "x-pii": "nik"},
        "nama": {"$ref": "#/$defs/nama"},
        "nomor": {"type": "string", "x-pii": False},
    },
    "$defs": {"nama": {"x-pii": "nama"}},
}


@pytest.mark.parametrize(
    ("key", "description", "data", "expected"),
    [
        ("subject", "subject = nomor: the number.", {"nomor": "N-1"}, ("subject", "N-1")),
        ("partitionkey", "the nomor", {"nomor": "N-1"}, ("partitionkey", "N-1")),
        ("subject", "subject = nik, then nomor", {"nik": "1", "nomor": "N"}, ("subject", "N")),
        ("subject", "subject = nik", {"nik": "1"}, ("subject", "contoh-1")),
        ("subject", "subject = nama", {"nama": "SITI"}, ("subject", "contoh-1")),
        ("subject", "subject = lain", {"lain": "x"}, ("subject", "contoh-1")),
        ("subject", "subject = nomor", {"nomor": 3}, ("subject", "contoh-1")),
        ("subject", "whatever", [], ("subject", "contoh-1")),
    ],
)
def test_the_ordering_key_comes_from_the_data_and_is_no_personal_data(
    key: str, description: str, data: Any, expected: tuple[str, str]
) -> None:
    event = example_event(a_contract(ordering=Ordering(key, description)), URL, SCHEMA, data)
    assert event[expected[0]] == expected[1]
    assert event["data"] == data


def test_without_a_key_there_is_neither() -> None:
    event = example_event(a_contract(ordering=Ordering("id", "")), URL, SCHEMA, {})
    assert event == {
        "specversion": "1.0",
        "id": event["id"],
        "source": "/uji/contoh",
        "type": FREE,
        "time": event["time"],
        "datacontenttype": "application/json",
        "dataschema": URL,
        "data": {},
    }

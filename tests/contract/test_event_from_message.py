"""The gateway and the consumers' runtime read the same event from the same message."""

import json
from base64 import b64encode
from itertools import pairwise
from typing import Any

import pytest

from consumers import events
from gateway.base.errors import Malformed
from gateway.base.event import attribute_text
from gateway.broker.message import CONTENT_TYPE, event_from_message

CORE = {"specversion": "1.0", "id": "7", "source": "/uji", "type": "id.go.uji.a.b.v1"}
PREFIXES = ("ce-", "cloudEvents_", "cloudEvents:", "")
JSON = "application/json"


def binary(prefix: str, **attributes: Any) -> dict[str, Any]:
    return {f"{prefix}{name}": value for name, value in {**CORE, **attributes}.items()}


def structured(**members: Any) -> tuple[bytes, dict[str, Any], str]:
    return json.dumps({**CORE, **members}).encode(), {}, CONTENT_TYPE


MESSAGES: dict[str, tuple[bytes, dict[str, Any], str | None]] = {
    "structured": structured(subject="a", partitionkey="k", tries=3, urgent=True, data={"n": [1]}),
    "structured without data": structured(),
    "structured with null": structured(subject=None, partitionkey=None, data=None),
    "structured with bytes": structured(data_base64=b64encode(b"\xff\0").decode()),
    "structured beside headers": (structured(data=1)[0], binary("ce-", id="8"), CONTENT_TYPE),
    "structured in capitals": (structured()[0], {}, "Application/CloudEvents+JSON"),
    "type by header": (b"[1]", binary("ce-", datacontenttype=JSON), None),
    "property before header": (b"[1]", binary("ce-", datacontenttype="text/plain"), JSON),
    "json with charset": (b'"x"', binary("ce-"), "application/json; charset=utf-8"),
    "json by suffix": (b"{}", binary("ce-"), "application/vnd.uji+json"),
    "no body": (b"", binary("ce-"), JSON),
    "no content type": (b"\xff", binary("ce-"), None),
    "broker headers": (b"1", {**binary(""), "x-death": [], "x-delivery-count": 2}, JSON),
    "a header is empty": (b"1", binary("ce-", partitionkey=None, tries=3), JSON),
    **{f"binary, prefix {prefix!r}": (b'{"n":1}', binary(prefix, subject="s", key="k"), JSON)
       for prefix in PREFIXES},
    **{f"{first!r} before {second!r}": (b"1", {**binary(second, id="8"), **binary(first)}, JSON)
       for first, second in pairwise(PREFIXES)},
}  # fmt: skip

REFUSED: dict[str, tuple[bytes, dict[str, Any], str | None]] = {
    "no headers": (b"{}", {}, JSON),
    "a prefix without specversion": (b"{}", {"ce-id": "7", "ce-source": "/uji"}, JSON),
    "no json": (b"{", {}, CONTENT_TYPE),
    "no object": (b"[]", {}, CONTENT_TYPE),
    "an empty id": structured(id=""),
    "an id that is a number": structured(id=7),
    "no source": (b"", {"ce-specversion": "1.0", "ce-id": "7", "ce-type": "t"}, JSON),
    "no base64": structured(data_base64="*"),
    "null in place of base64": structured(data_base64=None),
}


@pytest.mark.parametrize(("body", "headers", "content_type"), MESSAGES.values(), ids=list(MESSAGES))
def test_both_read_the_same_event(
    body: bytes, headers: dict[str, Any], content_type: str | None
) -> None:
    ours = event_from_message(body, headers, content_type)
    theirs = events.event_from_message(body, headers, content_type)
    assert (ours.id, ours.source, ours.type, ours.subject) == (
        theirs.id, theirs.source, theirs.type, theirs.subject,
    )  # fmt: skip
    assert {name: attribute_text(value) for name, value in ours.attributes.items()} == {
        name: attribute_text(value) for name, value in theirs.attributes.items()
    }
    assert ours.ordering_key == theirs.ordering_key
    data = ours.data if ours.binary or ours.data is None else json.loads(ours.data)
    assert data == theirs.data
    assert ours.id == "7"


@pytest.mark.parametrize(("body", "headers", "content_type"), REFUSED.values(), ids=list(REFUSED))
def test_both_refuse_a_message_without_an_event(
    body: bytes, headers: dict[str, Any], content_type: str | None
) -> None:
    with pytest.raises(Malformed):
        event_from_message(body, headers, content_type)
    with pytest.raises(events.NotAnEvent):
        events.event_from_message(body, headers, content_type)

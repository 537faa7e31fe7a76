"""Every list, with cursors that it did not give: a page, or a refusal by name, and no defect."""

from base64 import urlsafe_b64encode
from typing import Any

import pytest

from gateway.http.paging import cursor_of
from tests.builders import FREE, a_name
from tests.bus import Bus
from tests.problems import problem_of

ROLES = ("admin", "auditor", "publisher", "subscriber")
KEYS = (
    "0", "-1", "00", "1.5", "1e9", "9" * 9, "2147483647", "2147483648", "9" * 12,
    str(2**63 - 1), str(2**63), str(2**64), "9" * 500, "\u0661", "null", "{}", "[]", "/", "//",
    "a/b", "a/b/c", "uji/", "/uji", "\n", "\t", "\x7f", "\ufeff", "\U0010ffff", "火" * 400,
    "'; --", "%", "_", "\\", "$1", "id.go.uji.*", "2026-05-04T03:02:01Z",
)  # fmt: skip
RAW = (
    *map(cursor_of, KEYS),
    *(urlsafe_b64encode(raw).decode().rstrip("=") for raw in
      (b"\0", b"a\0b", b"1\0", b"\xff", b"\xed\xa0\x80", b"a/\0", b"\xc0\x80")),
    "\0", "%00", "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"), "A" * 3000, "=", "-",
)  # fmt: skip


def lists(document: dict[str, Any]) -> list[str]:
    """The paths of all operations that take a cursor."""
    return [
        path
        for path, operations in document["paths"].items()
        if any(
            each.get("name") == "cursor" for each in operations.get("get", {}).get("parameters", ())
        )
    ]


def defects(bus: Bus) -> int:
    logs = bus.logs()
    return sum(logs.count(word) for word in ("database.content", "http.request_crashed"))


@pytest.mark.timeout(240)
def test_no_cursor_is_a_defect(bus: Bus) -> None:
    uji, before = bus.actor("uji", *ROLES), defects(bus)
    subscription = a_name()
    uji.put_subscription(subscription, FREE, delivery="pull").raise_for_status()
    paths = lists(bus.http.get("/openapi.json").json())
    assert len(paths) >= 11
    for path in paths:
        name = "uji" if "/organisations/" in path else subscription
        target = path.replace("{name}", name).replace("{type}", FREE)
        actor = bus.admin if path == "/v1/organisations" else uji
        assert actor.get(target).status_code == 200, target
        found = set()
        for cursor in RAW:
            answer = actor.get(target, params={"cursor": cursor})
            found.add(answer.status_code)
            if answer.status_code != 200:
                problem = problem_of(answer, 422, "invalid")
                assert problem.get("parameter") == "cursor", (target, cursor)
        assert 422 in found, target
    uji.delete(f"/v1/subscriptions/{subscription}")
    assert defects(bus) == before

"""What one small client sends to harm the others: as data, for the program that sends it.

Each was once enough to stop everybody. The rates are those of a client that costs this machine
little, as attacker, neighbour and gateway share its processors.
"""

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

DIALECT = "https://json-schema.org/draft/2020-12/schema"
MEBIBYTE = 1 << 20
CLOUD_EVENT = {"Content-Type": "application/cloudevents+json"}
BATCH = {"Content-Type": "application/cloudevents-batch+json"}
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True)
class Attack:
    """Requests, in turns, each on a connection of its own.

    Either `rate` of them a second, each followed by `times` chunks as long as anybody takes them;
    or `held` connections at a time, with a chunk every second.
    """

    what: str
    requests: tuple[bytes, ...]
    rate: float = 0
    chunk: bytes = b""
    times: int = 0
    held: int = 0

    def question(self) -> dict[str, Any]:
        """For `bench.attacker`."""
        return {
            "requests": [base64.b64encode(each).decode() for each in self.requests],
            "chunk": base64.b64encode(self.chunk).decode(),
            "rate": self.rate,
            "times": self.times,
            "held": self.held,
        }


def attacks(token: str, heavy: tuple[bytes, ...]) -> Mapping[str, Attack]:
    """All of them by name; `token` is that of a client, `heavy` are events that cost much."""
    own = {"Authorization": f"Bearer {token}"}
    guess = b"grant_type=client_credentials&client_id=%d&client_secret=x"
    bodies = (b"[" + b"0," * (MEBIBYTE // 2 - 2) + b"0]", b"[" + b'{"":{"":0}},' * 80_000 + b"0]")
    return {
        **_of_connections(own),
        "unauthenticated": Attack(
            "bodies of 1 MiB without a token",
            tuple(_request("POST", "/v1/contracts", JSON, each) for each in bodies),
            8,
        ),
        "empty-batch": Attack(
            "an atomic batch without an event",
            (_request("POST", "/v1/events?atomic=true", {**own, **BATCH}, b"[]"),),
            20,
        ),
        "guesses": Attack(
            "tokens with wrong secrets",
            tuple(_request("POST", "/oauth/token", FORM, guess % n) for n in range(100)),
            20,
        ),
        "documents": Attack("openapi.json", (_request("GET", "/openapi.json"),), 10),
        "validation": Attack(
            "valid events of 300 KB under contracts that cost as much as is admitted",
            tuple(_request("POST", "/v1/events", {**own, **CLOUD_EVENT}, each) for each in heavy),
            2,
        ),
        "contracts": Attack(
            "contracts that cost much to check",
            tuple(
                _request("POST", "/v1/contracts", {**own, **JSON}, contract(f"berat{n}", schema))
                for n, (schema, _) in enumerate(hostile_schemas())
            ),
            0.5,
        ),
    }  # fmt: skip


def _of_connections(own: Mapping[str, str]) -> Mapping[str, Attack]:
    """Those on the HTTP server itself."""
    live, head = _request("GET", "/health/live"), _request("POST", "/v1/events", own)
    large = {"Content-Length": str(MEBIBYTE)}
    slow = _request("POST", "/v1/events", {**own, **CLOUD_EVENT, **large})
    return {
        "headers": Attack("a header of 64 MB", (live[:-2] + b"X: ",), 4, b"a" * 65536, 1024),
        "header-count": Attack("400,000 headers", (live[:-2],), 4, b"a: b\r\n" * 4000, 100),
        "url": Attack("a URL of 64 MB", (b"GET /",), 4, b"a" * 65536, 1024),
        "half-open": Attack("1,500 requests that stop within a header", (head[:-2],), held=1500),
        "slow-bodies": Attack("200 bodies of a byte a second", (slow,), chunk=b" ", held=200),
        "pipelining": Attack("500 requests at once on a connection", (live * 500,), 10),
    }  # fmt: skip


def hostile_schemas() -> Iterator[tuple[dict[str, Any], Any]]:
    """Schemas that cost much for each byte, each with data that are valid under it."""
    size = 300_000
    defs: dict[str, Any] = {
        f"d{level}": {"allOf": [{"$ref": f"#/$defs/d{level + 1}"}] * 5} for level in range(5)
    }
    defs["d5"] = {"not": {"const": "q"}}
    yield (
        {"type": "array", "items": {"enum": [{"a": n} for n in range(4900)]}},
        ([{"a": 4899}] * (size // 11)),
    )
    yield {"type": "array", "items": {"$ref": "#/$defs/d0"}, "$defs": defs}, [1] * (size // 2)
    yield (
        {"type": "object", "patternProperties": {
            f"^(x|{n}|y)*z{n}$": {"type": "integer"} for n in range(490)}},
        {f"{n:x}": 0 for n in range(size // 10)},
    )  # fmt: skip
    branches: list[dict[str, Any]] = [
        {"type": "integer", "multipleOf": 7, "minimum": 10**9 + n} for n in range(240)
    ]
    branches.append({"type": "integer", "maximum": 5})
    yield {"type": "array", "items": {"oneOf": branches}}, [1] * (size // 2)
    yield {"type": "array", "items": {"type": "integer"}}, [1] * (size // 2)


def contract(word: str, schema: Mapping[str, Any]) -> bytes:
    """A contract of the attacker's."""
    valid: Any = [] if schema["type"] == "array" else {}
    return json.dumps(
        {
            "type": contract_type(word),
            "title": "Berat",
            "pattern": "publish-subscribe",
            "classification": "internal",
            "ordering": {"key": "subject"},
            "schema": {"$schema": DIALECT, "description": "Heavy.", **schema},
            "examples": {
                "valid": [{"name": "empty", "data": valid}],
                "invalid": [{"name": "text", "data": "x", "keyword": "type", "pointer": ""}],
            },
        }
    ).encode()


def contract_type(word: str) -> str:
    """Its event type."""
    return f"id.go.bmkg.{word}.dicatat.v1"


def event(word: str, data: Any) -> bytes:
    """An event of it. The same id each time: it is validated, and then it is a repeat."""
    return json.dumps(
        {"specversion": "1.0", "id": word, "source": "/bmkg/bench", "type": contract_type(word),
         "subject": "x", "datacontenttype": "application/json", "data": data},
        separators=(",", ":"),
    ).encode()  # fmt: skip


def _request(
    method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b""
) -> bytes:
    """A request, which may say of its length what it likes."""
    lines = {"Host": "bus", **(headers or {})}
    if method == "POST":
        lines.setdefault("Content-Length", str(len(body)))
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body

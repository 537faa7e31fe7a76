"""Every operation with values that nobody would write by hand: never a 500, always a problem."""

import http.client
import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest

from tests.builders import FREE, a_document
from tests.bus import Actor, Bus, MakeBus
from tests.integration.contracts.registration import a_type, register
from tests.servers import METRICS_TOKEN

ROLES = ("admin", "auditor", "publisher", "subscriber")
OPERATOR = ("/v1/organisations", "/v1/signing-keys")  # operations for the operator alone
EDGES = (
    "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00", "9999-12-31T24:00:00Z",
    "2026-02-30T00:00:00Z", "2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00", "-0001-01-01",
    "2016-12-31T23:59:60Z", "2026-W01-1", "1e20", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z",
)  # fmt: skip
TEXTS = (
    "", " ", ".", "..", "../..", "a/b", "a\0b", "\0", "\ud800", "\uffff", "\u202e", "\u0661",
    "%", "%00", "'; --", "x" * 3000, "火" * 1500, "id.go.*", "*", "#", "null", "true",
    "0", "-1", "00", "+1", "1_0", "1.0", "1e309", "5e-324", "NaN", "Infinity", str(2**31),
    str(2**63), str(2**64), str(-(2**63) - 1), "9" * 400, "9" * 5000, "AAAA", "e30", "eyJhIjoxfQ",
    *EDGES,
)  # fmt: skip
NUMBERS = (
    "null", "true", "0", "-1", "-0.0", "0.5", "2147483648", "9223372036854775808", "1e9", "1e19",
    "1e308", "1e309", "5e-324", "-5e-324", "NaN", "Infinity", "-Infinity", "1" + "0" * 400,
    "9" * 5000, "[]", "[null]", "[[]]", "{}", '{"a":1}', '["a","a"]', '{"":""}', "[" * 400,
)  # fmt: skip
VALUES = (*NUMBERS, *map(json.dumps, TEXTS))
BODIES = (b"", b"null", b"true", b"1", b'"a"', b"[]", b"[1]", b"{}", b"{", b"\xff\xfe{", b"\0",
          b'{"a":1,"a":2}', b"NaN", b"[" * 5000, b'"\\ud800"', b"\xef\xbb\xbf{}")  # fmt: skip


_FILTERS = {"filters": [{"exact": {"subject": "a"}}, {"prefix": {"time": "2026"}}]}
REACHING: dict[str, list[dict[str, Any]]] = {
    "PUT /v1/subscriptions/{name}": [
        {"types": [FREE], "delivery": "pull", "start": "2026-05-04T03:02:01Z", "ordered": True,
         "terms": {"attempts": 3, "lock_seconds": 5, "rate": 2, "max_age": 60, **_FILTERS}},
        {"types": [FREE], "delivery": "amqp", "terms": {"max_age": 60, **_FILTERS}},
        {"types": [FREE], "delivery": "stream", "terms": {"rate": 1, **_FILTERS}},
        {"types": [FREE], "delivery": "webhook", "terms": {"endpoint": {
            "url": "https://contoh.example/", "timeout": 5, "signature": "hmac",
            "concurrency": 1}}},
    ],
    "POST /v1/subscriptions/{name}/seek": [{"to": "2026-05-04T03:02:01Z"}, {"to": "now"}],
    "POST /v1/subscriptions/{name}/receive": [{"max": 1, "wait": 0}],
    "POST /v1/redrives": [{"subscription": "pull", "died_from": "2026-05-04T03:02:01Z"}],
    "POST /v1/events": [a_document(time="2026-05-04T03:02:01Z", besar=1, benar=True)],
}  # fmt: skip


class Request(NamedTuple):
    """A request as it goes over the wire."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes | None = None


class Answer(NamedTuple):
    """What came back."""

    status: int
    media: str
    body: bytes


class Operation:
    """An operation of the OpenAPI document, with values that reach it."""

    def __init__(
        self, document: dict[str, Any], path: str, method: str, known: dict[str, Any]
    ) -> None:
        self._document, self._path, self._known = document, path, known
        self.method = method.upper()
        self._turn = 0
        described = document["paths"][path][method]
        self.parameters = [self._resolved(each) for each in described.get("parameters", [])]
        self.content = described.get("requestBody", {}).get("content", {})

    def requests(self) -> Iterator[Request]:
        """Each parameter and each member of the body in turn with each odd value."""
        media = next(iter(self.content), None)
        body = next(iter(self._bodies()), None)
        for parameter in self.parameters:
            self._turn += 1
            for text in TEXTS[self._turn % 2 :: 2]:
                yield self._request(body, media, {parameter["name"]: text})
        if media is None:
            yield self._request(b"{}", "application/json", {})
            return
        for odd in BODIES:
            yield self._request(odd, media, {})
        for media_type in ("", "text/plain", "application/json; charset=\xff", "x" * 300):
            yield self._request(body, media_type, {})
        for body in self._bodies():
            for path in _paths(json.loads(body)):
                self._turn += 1
                step = 3 if len(path) == 1 else 11
                for value in VALUES[self._turn % step :: step]:
                    yield self._request(_replaced(body, path, value), media, {})

    def _request(self, body: bytes | None, media: str | None, odd: dict[str, str]) -> Request:
        target, query, headers = self._path, [], {} if media is None else {"Content-Type": media}
        for parameter in self.parameters:
            name, place = parameter["name"], parameter["in"]
            value = odd.get(name, self._known_value(parameter))
            if value is None:
                continue
            if place == "path":
                escaped = quote(value.encode("utf-8", "surrogatepass"), safe="")
                target = target.replace(f"{{{name}}}", escaped)
            elif place == "query":
                query.append(f"{name}={quote(value.encode('utf-8', 'surrogatepass'), safe='')}")
            elif not re.search(r"[\0\r\n]", value):
                headers[name] = value.encode("utf-8", "surrogatepass").decode("latin-1")
        target += "?" + "&".join(query) if query else ""
        return Request(self.method, target, headers, body)

    def _known_value(self, parameter: dict[str, Any]) -> str | None:
        name = parameter["name"]
        if parameter["in"] == "path":
            found = self._known["organisation" if "/organisations/" in self._path else name] if (
                name == "name") else self._known.get(name, "1")  # fmt: skip
            return str(found)
        return "*" if name.lower() == "if-match" else None

    def _bodies(self) -> list[bytes]:
        """Bodies of the first media type: as it is described, and others that reach further."""
        described = [each.get("schema", {}) for each in self.content.values()][:1]
        bodies = [self._sample(each, 0) for each in described]
        bodies += REACHING.get(f"{self.method} {self._path}", [])
        return [json.dumps(each).encode() for each in bodies if isinstance(each, dict)]

    def _sample(self, schema: dict[str, Any], depth: int) -> Any:
        """A document with all members; a value that the schema describes, as far as it goes."""
        schema = self._resolved(schema)
        given = [schema[word] for word in ("const", "default", "example") if schema.get(word)]
        given += [schema[word][0] for word in ("examples", "enum") if schema.get(word)]
        branches = [schema[word][0] for word in ("anyOf", "oneOf", "allOf") if schema.get(word)]
        if given or branches:
            return given[0] if given else self._sample(branches[0], depth)
        match schema.get("type"):
            case "object":
                members = schema.get("properties", {}).items() if depth < 4 else ()
                return {
                    name: self._known.get(name) or self._sample(each, depth + 1)
                    for name, each in members
                }
            case "array":
                return [self._sample(schema.get("items", {}), depth + 1)]
            case "integer" | "number":
                return max(1, schema.get("minimum", 1))
            case "boolean":
                return True
        return "2026-05-04T03:02:01Z" if schema.get("format") == "date-time" else "uji"

    def _resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in schema:
            found: Any = self._document
            for step in schema["$ref"].removeprefix("#/").split("/"):
                found = found[step.replace("~1", "/").replace("~0", "~")]
            schema = found
        return schema


def _paths(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of each member and item."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, each in items:
        yield (*at, key)
        if isinstance(each, dict | list):
            yield from _paths(each, (*at, key))


def _replaced(body: bytes, path: tuple[Any, ...], value: str) -> bytes:
    """The body with another value there, which may be no JSON."""
    document: Any = json.loads(body)
    parent = document
    for step in path[:-1]:
        parent = parent[step]
    parent[path[-1]] = "@odd@"
    return json.dumps(document).replace('"@odd@"', value).encode()


@pytest.fixture(scope="module")
def bus(make_bus: MakeBus) -> Iterator[Bus]:
    """A bus of its own, because these requests leave much behind."""
    with make_bus() as bus:
        yield bus.run("api", "relay")


def known_values(bus: Bus, uji: Actor) -> dict[str, Any]:
    type = a_type()
    register(bus.actor("uji", "admin"), type)
    receipt = uji.publish(a_document()).raise_for_status().json()
    uji.put_subscription("pull", FREE, delivery="pull").raise_for_status()
    spare = {"organisation": "uji", "title": "A spare client", "roles": ["publisher"]}
    client = uji.post("/v1/clients", json=spare).raise_for_status().json()
    return {
        "type": type, "version": "1", "shard": str(receipt["shard"]), "types": [FREE],
        "sequence": str(receipt["sequence"]), "id": client["id"], "number": "1", "name": "pull",
        "organisation": "lain", "wait": 0, "delivery": "pull",
    }  # fmt: skip


class Wire:
    """Sends requests as they are, over one connection while it lasts."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def answer(self, request: Request, headers: dict[str, str]) -> Answer:
        """The answer; of a stream its head alone."""
        try:
            return self._answer(request, headers)
        except (http.client.HTTPException, ConnectionError):  # it was closed after the last one
            self.close()
            return self._answer(request, headers)

    def _answer(self, request: Request, headers: dict[str, str]) -> Answer:
        connection, fields = self._connection, {**headers, **request.headers}
        connection.putrequest(request.method, request.target, skip_accept_encoding=True)
        if request.body is not None:
            fields["Content-Length"] = str(len(request.body))
        for name, value in fields.items():
            connection.putheader(name, value.encode("latin-1"))
        connection.endheaders(request.body)
        found = connection.getresponse()
        media = found.getheader("content-type") or ""
        if media.startswith("text/event-stream"):
            self.close()
            return Answer(found.status, media, b"")
        return Answer(found.status, media, found.read())

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        self._connection.close()


def fault(request: Request, answer: Answer) -> str | None:
    """What is wrong with an answer, and to which request."""
    status, media, body = answer
    if status < 400:
        return None
    asked = f"{request.method} {request.target[:300]} {(request.body or b'')[:300]!r}"
    if status >= 500:
        return f"{status}: {asked} {request.headers}"
    if request.target.startswith("/oauth/"):
        return None if b'"error"' in body else f"no OAuth error: {asked}"
    if not media.startswith("application/problem+json") or json.loads(body)["status"] != status:
        return f"{status} without a problem: {asked}"
    return None


@pytest.mark.timeout(580)
def test_no_value_of_a_request_is_a_defect(bus: Bus) -> None:
    uji, wire = bus.actor("uji", *ROLES), Wire(bus.port)
    known = known_values(bus, uji)
    document = bus.http.get("/openapi.json").json()
    faults: list[str] = []
    counted: Counter[str] = Counter()
    described = [(path, method) for path, each in document["paths"].items() for method in each]
    for path, method in sorted(described, key=lambda each: each[1] == "delete"):
        for request in Operation(document, path, method, known).requests():
            if path == "/metrics":
                headers = {"authorization": f"Bearer {METRICS_TOKEN}"}
            else:
                headers = (bus.admin if path.startswith(OPERATOR) else uji).headers
            answer = wire.answer(request, headers)
            found = fault(request, answer)
            faults += [found] if found else []
            counted[f"{answer.status // 100}xx"] += 1
        if "defect.found" in bus.logs() and not faults:
            faults.append(f"{method} {path} met a defect")
    wire.close()
    assert faults == []
    assert counted["4xx"] > 3000
    assert counted["2xx"] > 500
    assert "http.request_crashed" not in bus.logs()

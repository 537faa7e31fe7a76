"""The registry over HTTP, in the terms of the files."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
import msgspec

from adapters.cli.contracts.folder import Contract, Version, parsed
from adapters.cli.contracts.judge import judge_of
from adapters.client import Nusabus, Problem

FACTS = (
    *("title", "description", "classification", "ordering"),
    *("compatibility", "non_delivery_report"),
)
"""What may be changed of a contract."""
_ABOUT = ("type", "owner", "title", "description", "pattern", "classification", "ordering")
_Documents = Mapping[str, Any]
_JSON = {"content-type": "application/json"}
_KINDS = {"examples": "examples", "reply_examples": "examples/reply"}  # in a body, and as folders
_STORED = {
    "valid": ("examples", "valid"),
    "invalid": ("examples", "invalid"),
    "valid_replies": ("examples/reply", "valid"),
    "invalid_replies": ("examples/reply", "invalid"),
}
_encode = msgspec.json.Encoder(decimal_format="number").encode


@dataclass(frozen=True)
class Registered:
    """A contract as the registry has it. `states` are those of its versions by number."""

    contract: Contract
    states: Mapping[int, str]
    etag: str


class _Stored(msgspec.Struct):
    """A version as the registry tells it, its schemas as they were written."""

    number: int = msgspec.field(name="version")
    state: str
    text: msgspec.Raw = msgspec.field(name="schema")
    reply_schema: msgspec.Raw
    stored: msgspec.Raw = msgspec.field(name="examples")

    @property
    def version(self) -> Version:
        """The schemas, as the files have them."""
        reply = bytes(self.reply_schema)
        return Version(_line(bytes(self.text)), None if reply == b"null" else _line(reply))

    @property
    def examples(self) -> dict[str, dict[str, Any]]:
        """The examples, as the files have them."""
        body = parsed(bytes(self.stored), "the examples") or {}
        found = {
            f"{folder}/{kind}": {
                each["name"]: each["data"] if kind == "valid" else _invalid(each)
                for each in body.get(member, ())
            }
            for member, (folder, kind) in _STORED.items()
        }
        return {kind: documents for kind, documents in found.items() if documents}


class _Page(msgspec.Struct):
    """A piece of the list of versions."""

    items: list[_Stored]
    next: str | None


class Registry:
    """The calls that the commands make, over one connection."""

    def __init__(self, bus: Nusabus) -> None:
        self.bus = bus

    async def search(self, **query: str) -> list[dict[str, Any]]:
        """The contracts that the caller may see, by type."""
        return await self.bus.all("/v1/contracts", **query)

    async def find(self, type: str) -> Registered | None:
        """A contract with every version, and the examples of the newest; None if there is none."""
        try:
            answer = await self.bus.request("GET", _path(type))
        except Problem as problem:
            if problem.status == httpx.codes.NOT_FOUND:
                return None
            raise
        body = _exact(answer)
        about = {name: body[name] for name in _ABOUT}
        about |= {
            name: body[name] for name in ("compatibility", "non_delivery_report") if body[name]
        }
        found = {each.number: each async for each in self._versions(type)}
        examples = found[max(found)].examples if found else {}
        contract = Contract(about, {n: each.version for n, each in found.items()}, examples)
        states = {number: each.state for number, each in found.items()}
        return Registered(contract, states, answer.headers["etag"])

    async def organisation(self, name: str) -> dict[str, str]:
        """An organisation as its file describes it."""
        body = await self.bus.call("GET", f"/v1/organisations/{quote(name, safe='')}")
        return {member: str(body[member]) for member in ("name", "title", "description")}

    async def _versions(self, type: str) -> AsyncIterator[_Stored]:
        cursor: dict[str, str] = {}
        while True:
            answer = await self.bus.request("GET", f"{_path(type)}/versions", params=cursor)
            page = msgspec.json.decode(answer.content, type=_Page)
            for each in page.items:
                yield each
            if page.next is None:
                return
            cursor = {"cursor": page.next}

    async def check(
        self, contract: Contract, number: int, *, examples: bool = True
    ) -> dict[str, Any]:
        """What would become of a version of a contract that is registered, with its examples."""
        body = _version(contract, number)
        if not examples:
            body = {name: value for name, value in body.items() if name not in _KINDS}
        return await self._send("POST", f"{_path(contract.type)}/compatibility", body)

    async def create(self, contract: Contract) -> dict[str, Any]:
        """Register a contract with its first version."""
        about = {name: value for name, value in contract.about.items() if name != "owner"}
        body = about | _version(contract, min(contract.versions))
        return await self._send("POST", "/v1/contracts", body)

    async def add(
        self, contract: Contract, number: int, etag: str, *, breaking: bool
    ) -> dict[str, Any]:
        """Register a version of a contract."""
        body = _version(contract, number) | {"breaking": breaking}
        path = f"{_path(contract.type)}/versions"
        return await self._send("POST", path, body, etag)

    async def change(self, type: str, facts: Mapping[str, Any], etag: str) -> dict[str, Any]:
        """Change facts of a contract."""
        return await self._send("PATCH", _path(type), facts, etag)

    async def advice(self, contract: Contract, number: int) -> list[dict[str, Any]]:
        """What lint says of a version, registered or not."""
        about = {name: contract.about[name] for name in _ABOUT if name in contract.about}
        version = contract.versions[number]
        body = {
            "contract": about,
            "schema": msgspec.Raw(version.text.strip()),
            "reply": None if version.reply is None else msgspec.Raw(version.reply.strip()),
        }
        answer = await self._send("POST", "/v1/contracts/lint", body)
        found: list[dict[str, Any]] = answer["findings"]
        return found

    async def _send(
        self, method: str, path: str, body: Mapping[str, Any], etag: str | None = None
    ) -> dict[str, Any]:
        headers = _JSON if etag is None else _JSON | {"if-match": etag}
        answer = await self.bus.request(method, path, content=_encode(body), headers=headers)
        found: dict[str, Any] = _exact(answer)
        return found


def _version(contract: Contract, number: int) -> dict[str, Any]:
    """A version as a body; the schemas byte for byte as they are in the files."""
    version = contract.versions[number]
    body: dict[str, Any] = {"schema": msgspec.Raw(version.text.strip())}
    if version.reply is not None:
        body["reply_schema"] = msgspec.Raw(version.reply.strip())
    schemas = {"examples": version.schema, "reply_examples": version.reply_schema}
    for member, folder in _KINDS.items():
        valid = contract.examples.get(f"{folder}/valid", {})
        invalid = contract.examples.get(f"{folder}/invalid", {})
        if number != contract.newest and valid and schemas[member] is not None:
            valid, invalid = _fitting(schemas[member], valid, invalid)
        body[member] = {
            "valid": [{"name": name, "data": data} for name, data in valid.items()],
            "invalid": [{"name": name, **example} for name, example in invalid.items()],
        }
    return body


def _fitting(schema: Any, valid: _Documents, invalid: _Documents) -> tuple[_Documents, _Documents]:
    """Those of the newest version's examples that hold for an older version too, if one can tell.

    Why the invalid ones are refused may differ, so that is left open.
    """
    judge = judge_of(schema)
    if judge is None:
        return valid, invalid
    return (
        {name: data for name, data in valid.items() if judge.accepts(data)},
        {
            name: {"reason": example["reason"], "data": example["data"]}
            for name, example in invalid.items()
            if not judge.accepts(example["data"])
        },
    )


def _invalid(example: Mapping[str, Any]) -> dict[str, Any]:
    return {name: example[name] for name in ("reason", "keyword", "pointer", "data")}


def _exact(answer: httpx.Response) -> Any:
    return parsed(answer.content, "the gateway's answer")


def _line(text: bytes) -> bytes:
    return text + b"\n"


def _path(type: str) -> str:
    return f"/v1/contracts/{quote(type, safe='')}"

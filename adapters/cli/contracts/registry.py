"""The registry over HTTP, with the same values as the files."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
import msgspec

from adapters.cli.contracts.folder import Contract, Version, parsed
from adapters.cli.contracts.validation import validator_of
from adapters.client import Nusabus, Problem

FACTS = (
    *("title", "description", "classification", "ordering"),
    *("compatibility", "non_delivery_report", "retention_days"),
)
"""The facts of a contract that can change."""
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
class RegisteredContract:
    """A contract in the registry. `states` are the states of its versions by number."""

    contract: Contract
    states: Mapping[int, str]
    etag: str


class _Stored(msgspec.Struct):
    """A version in an answer of the registry, its schemas as they were written."""

    number: int = msgspec.field(name="version")
    state: str
    text: msgspec.Raw = msgspec.field(name="schema")
    reply_schema: msgspec.Raw
    stored: msgspec.Raw = msgspec.field(name="examples")

    @property
    def version(self) -> Version:
        """The schemas as in the files."""
        reply = bytes(self.reply_schema)
        return Version(_line(bytes(self.text)), None if reply == b"null" else _line(reply))

    @property
    def examples(self) -> dict[str, dict[str, Any]]:
        """The examples as in the files."""
        body = parsed(bytes(self.stored), "examples") or {}
        found = {
            f"{folder}/{kind}": {
                each["name"]: each["data"] if kind == "valid" else _invalid(each)
                for each in body.get(member, ())
            }
            for member, (folder, kind) in _STORED.items()
        }
        return {kind: documents for kind, documents in found.items() if documents}


class _Page(msgspec.Struct):
    """One page of the list of versions."""

    items: list[_Stored]
    next: str | None


class Registry:
    """The calls of the commands, over one connection."""

    def __init__(self, bus: Nusabus) -> None:
        self.bus = bus

    async def search(self, **query: str) -> list[dict[str, Any]]:
        """The contracts that you may see, by type."""
        return await self.bus.all("/v1/contracts", **query)

    async def find(self, type: str) -> RegisteredContract | None:
        """A contract with all versions and the examples of the newest; None if there is none."""
        try:
            answer = await self.bus.request("GET", _path(type))
        except Problem as problem:
            if problem.status == httpx.codes.NOT_FOUND:
                return None
            raise
        body = _exact(answer)
        about = {name: body[name] for name in _ABOUT}
        about |= {
            name: body[name]
            for name in ("compatibility", "non_delivery_report", "retention_days")
            if body[name]
        }
        found = {each.number: each async for each in self._versions(type)}
        examples = found[max(found)].examples if found else {}
        contract = Contract(about, {n: each.version for n, each in found.items()}, examples)
        states = {number: each.state for number, each in found.items()}
        return RegisteredContract(contract, states, answer.headers["etag"])

    async def organisation(self, name: str) -> dict[str, str]:
        """An organisation as in its file."""
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
        """The registry's check of a new version of a registered contract."""
        body = _version(contract, number)
        if not examples:
            body = {name: value for name, value in body.items() if name not in _KINDS}
        return await self._send("POST", f"{_path(contract.type)}/compatibility", body)

    async def check_new(self, contract: Contract) -> None:
        """The registry's check of a new contract. Raises the Problem of registering it."""
        await self._send("POST", "/v1/contracts/check", _first(contract))

    async def require_administrator(self, type: str) -> None:
        """Raises Problem (403) unless the client may administer a contract."""
        await self.bus.call("GET", f"{_path(type)}/impact")

    async def create(self, contract: Contract) -> dict[str, Any]:
        """Register a contract with its first version."""
        return await self._send("POST", "/v1/contracts", _first(contract))

    async def add(
        self, contract: Contract, number: int, etag: str, *, breaking: bool
    ) -> dict[str, Any]:
        """Register a version of a contract."""
        body = _version(contract, number) | {"breaking": breaking}
        path = f"{_path(contract.type)}/versions"
        return await self._send("POST", path, body, etag)

    async def change(
        self, type: str, facts: Mapping[str, Any], etag: str, *, breaking: bool
    ) -> dict[str, Any]:
        """Change facts of a contract; `breaking` confirms a shorter retention."""
        confirm = "?confirm=true" if breaking else ""
        return await self._send("PATCH", f"{_path(type)}{confirm}", facts, etag)

    async def advice(self, contract: Contract, number: int) -> list[dict[str, Any]]:
        """The findings of lint about a version, registered or not."""
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

    async def convert(
        self, schema: Any, others: Mapping[str, Any], dialect: str | None = None
    ) -> dict[str, Any]:
        """One schema that can be registered, of one and the others that it refers to."""
        body = {"schema": schema, "schemas": others} | ({"dialect": dialect} if dialect else {})
        return await self._send("POST", "/v1/contracts/convert", body)

    async def _send(
        self, method: str, path: str, body: Mapping[str, Any], etag: str | None = None
    ) -> dict[str, Any]:
        headers = _JSON if etag is None else _JSON | {"if-match": etag}
        answer = await self.bus.request(method, path, content=_encode(body), headers=headers)
        found: dict[str, Any] = _exact(answer)
        return found


def _first(contract: Contract) -> dict[str, Any]:
    """A contract with its first version as a request body."""
    about = {name: value for name, value in contract.about.items() if name != "owner"}
    return about | _version(contract, min(contract.versions))


def _version(contract: Contract, number: int) -> dict[str, Any]:
    """A version as a request body; the schemas byte for byte as in the files."""
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
    """The examples of the newest version that also hold for an older one, if that can be checked.

    The reason to refuse an invalid one may differ, so its keyword is left out.
    """
    validator = validator_of(schema)
    if validator is None:
        return valid, invalid
    return (
        {name: data for name, data in valid.items() if validator.accepts(data)},
        {
            name: {"reason": example["reason"], "data": example["data"]}
            for name, example in invalid.items()
            if not validator.accepts(example["data"])
        },
    )


def _invalid(example: Mapping[str, Any]) -> dict[str, Any]:
    return {name: example[name] for name in ("reason", "keyword", "pointer", "data")}


def _exact(answer: httpx.Response) -> Any:
    return parsed(answer.content, "the answer of the gateway")


def _line(text: bytes) -> bytes:
    return text + b"\n"


def _path(type: str) -> str:
    return f"/v1/contracts/{quote(type, safe='')}"

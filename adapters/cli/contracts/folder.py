"""Contracts as files, in the layout of `schemas/`.

<organisation>/organisation.json
<organisation>/<event type>/contract.json
                           /versions/<n>.json, <n>.reply.json
                           /versions/<n>/**/*.json, schemas that they refer to by file or `$id`
                           /versions/<n>/layout.toml, its copybook, annotations.toml
                           /examples/valid/*.json, invalid/*.json
                           /examples/reply/valid/*.json, invalid/*.json
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import msgspec

from adapters.cli.contracts.validation import validator_of
from adapters.cli.exits import Failure
from adapters.cli.legacy.annotations import schema_of
from adapters.legacy_cobol.copybook.errors import CopybookError
from adapters.legacy_cobol.mapping.layout_file import read_layout
from adapters.legacy_cobol.mapping.section import LayoutError

Files = Mapping[str, bytes]  # by path below the contract's folder
_REPLY = "examples/reply"
KINDS = ("examples/valid", "examples/invalid", "examples/reply/valid", "examples/reply/invalid")
_encode = msgspec.json.Encoder(decimal_format="number").encode


@dataclass(frozen=True, slots=True)
class Version:
    """The schemas of a version, as written. `files` are those that they may refer to."""

    text: bytes
    reply: bytes | None = None
    files: Mapping[str, Any] = field(default_factory=dict)

    def same_as(self, other: "Version") -> bool:
        """Whether two versions are equal except for white space and order of members."""
        return (self.schema, self.reply_schema) == (other.schema, other.reply_schema)

    @property
    def schema(self) -> Any:
        """The schema of the data."""
        return parsed(self.text, "schema")

    @property
    def reply_schema(self) -> Any:
        """The schema of the reply, if there is one."""
        return None if self.reply is None else parsed(self.reply, "reply schema")


@dataclass(frozen=True)
class Contract:
    """A contract with its versions and examples. `examples` holds documents by kind and name."""

    about: Mapping[str, Any]
    versions: Mapping[int, Version]
    examples: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def type(self) -> str:
        """The event type."""
        return str(self.about["type"])

    @property
    def owner(self) -> str:
        """The organisation that owns it."""
        return str(self.about["owner"])

    @property
    def newest(self) -> int:
        """The number of the last version."""
        return max(self.versions)

    @property
    def example_fault(self) -> str:
        """The first example that does not do what it claims, if that can be checked locally."""
        version = self.versions[self.newest]
        for schema, folder in ((version.schema, "examples"), (version.reply_schema, _REPLY)):
            valid, invalid = (self.examples.get(f"{folder}/{k}", {}) for k in ("valid", "invalid"))
            validator = None if schema is None else validator_of(schema)
            if validator is None:
                continue
            for name, data in valid.items():
                if not validator.accepts(data):
                    return f"the valid example {name} is invalid"
            for name, example in invalid.items():
                if validator.accepts(example.get("data")):
                    return f"the invalid example {name} is valid"
        return ""


def organisations(folder: Path) -> dict[str, Mapping[str, Any]]:
    """The content of organisation.json, by organisation."""
    found = {file.parent.name: _object(file) for file in folder.glob("*/organisation.json")}
    return dict(sorted(found.items()))


def read(folder: Path) -> list[Contract]:
    """The contracts below a folder, by type. Raises Failure with the file's name."""
    if not folder.is_dir():
        raise Failure(f"{folder} is not a folder.")
    found = [_contract(file) for file in sorted(folder.glob("*/*/contract.json"))]
    if not found:
        raise Failure(f"{folder} has no <organisation>/<event type>/contract.json.")
    return sorted(found, key=lambda contract: contract.type)


def _contract(file: Path) -> Contract:
    folder, about = file.parent, _object(file)
    if (about.get("owner"), about.get("type")) != (folder.parent.name, folder.name):
        raise Failure(f"{file}: the folders must be named <owner>/<type>, as in the contract.")
    versions = dict(_versions(folder / "versions"))
    if not versions:
        raise Failure(f"{folder} has neither versions/1.json nor versions/1/layout.toml.")
    examples = {
        kind: {unquote(f.stem): document(f) for f in sorted((folder / kind).glob("*.json"))}
        for kind in KINDS
    }
    return Contract(about, versions, {kind: found for kind, found in examples.items() if found})


def _versions(folder: Path) -> Iterator[tuple[int, Version]]:
    written = {int(each.stem) for each in folder.glob("*.json") if each.stem.isdecimal()}
    layouts = [each.parent for each in folder.glob("*/layout.toml")]
    derived = {int(each.name): each for each in layouts if each.name.isdecimal()}
    for number in sorted(written | derived.keys()):
        reply = folder / f"{number}.reply.json"
        text = _derived(derived[number]) if number in derived else b""
        own = folder / str(number)
        files = {f.relative_to(own).as_posix(): document(f) for f in sorted(own.rglob("*.json"))}
        version = Version(text, reply.read_bytes() if reply.exists() else None, files)
        if number in written:
            file = folder / f"{number}.json"
            _object(file)
            in_file = replace(version, text=file.read_bytes())
            if text and not in_file.same_as(version):
                raise Failure(
                    f"{file} differs from the schema of the copybook in {number}/. Delete the "
                    "file, because the schema is derived, or move the copybook to a new version."
                )
            version = in_file
        yield number, version


def _derived(folder: Path) -> bytes:
    """The schema that is derived from the copybook in a folder."""
    file, annotations = folder / "layout.toml", folder / "annotations.toml"
    try:
        layout = read_layout(file)
    except (LayoutError, CopybookError, OSError) as error:
        raise Failure(str(error)) from None
    return pretty(schema_of(layout, annotations if annotations.exists() else None))


def written(contract: Contract) -> dict[str, bytes]:
    """The files of a contract: the same contract always gives the same bytes."""
    files = {"contract.json": pretty(contract.about)}
    for number, version in contract.versions.items():
        files[f"versions/{number}.json"] = version.text
        if version.reply is not None:
            files[f"versions/{number}.reply.json"] = version.reply
    for kind, documents in contract.examples.items():
        for name, document in documents.items():
            files[f"{kind}/{_file_name(name)}.json"] = pretty(document)
    return files


def _file_name(name: str) -> str:
    """The file name of an example; safe for any name."""
    quoted = name.replace("%", "%25").replace("/", "%2F").replace("\\", "%5C")
    return f"%2E{quoted[1:]}" if quoted.startswith(".") else quoted


def pretty(value: Any) -> bytes:
    """JSON as in the files: indented by two spaces, members in their order, a line end."""
    return msgspec.json.format(_encode(value), indent=2) + b"\n"


def parsed(text: bytes, what: object) -> Any:
    """The value of a JSON text, numbers exact. Raises Failure."""
    try:
        return json.loads(text, parse_float=Decimal, object_pairs_hook=_members)
    except (ValueError, RecursionError) as error:
        raise Failure(f"{what} is not JSON: {error}") from None


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} occurs twice in one object")
    return found


def document(file: Path) -> Any:
    """The JSON value in a file, numbers exact. Raises Failure."""
    return parsed(file.read_bytes(), file)


def _object(file: Path) -> Mapping[str, Any]:
    found = document(file)
    if not isinstance(found, dict):
        raise Failure(f"{file} must be a JSON object.")
    return found

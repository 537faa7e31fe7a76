"""Reads contracts from files, in the layout of `schemas/`.

<organisation>/organisation.json
<organisation>/<event type>/contract.json
                           /versions/<n>.json, <n>.reply.json
                           /examples/valid/*.json, invalid/*.json
                           /examples/reply/valid/*.json, invalid/*.json
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.base import strict_json
from gateway.base.errors import Invalid, Malformed
from gateway.contracts.compatibility import CompatibilityMode, CompatibilityPolicy, Rule
from gateway.contracts.values import (
    LONGEST_RETENTION,
    Classification,
    Contract,
    InvalidExample,
    Ordering,
    Pattern,
    Submission,
    Version,
)


@dataclass(frozen=True, slots=True)
class Owner:
    """An organisation as its file describes it."""

    name: str
    title: str
    description: str


def owners(folder: Path) -> Iterator[Owner]:
    """The organisations under a folder. Raises Invalid with the file's name."""
    for file in sorted(folder.glob("*/organisation.json")):
        found = _object(file)
        yield Owner(
            _text(file, found, "name"),
            _text(file, found, "title"),
            _text(file, found, "description"),
        )


def submissions(folder: Path) -> Iterator[Submission]:
    """The contracts under a folder. Raises Invalid with the file's name."""
    for file in sorted(folder.glob("*/*/contract.json")):
        yield _submission(file)


def _submission(file: Path) -> Submission:
    folder = file.parent
    contract = _contract(file)
    if contract.type != folder.name or contract.owner != folder.parent.name:
        raise Invalid(f"{file}: the folders must be named <owner>/<type>, as in the contract.")
    examples = folder / "examples"
    return Submission(
        contract,
        tuple(_versions(folder / "versions")),
        _valid(examples / "valid"),
        tuple(_invalid(examples / "invalid")),
        _valid(examples / "reply" / "valid"),
        tuple(_invalid(examples / "reply" / "invalid")),
        _rule(file),
    )


def _rule(file: Path) -> Rule | None:
    found = _object(file).get("compatibility")
    if found is None:
        return None
    if not isinstance(found, dict):
        raise Invalid(f"{file}: /compatibility must be an object with mode and policy.")
    try:
        policy = _text(file, found, "policy") if "policy" in found else CompatibilityPolicy.STRICT
        return Rule(CompatibilityMode(_text(file, found, "mode")), CompatibilityPolicy(policy))
    except (ValueError, Invalid) as error:
        raise Invalid(f"{file}: /compatibility: {error}") from None


def _contract(file: Path) -> Contract:
    found = _object(file)
    ordering = found.get("ordering")
    if not isinstance(ordering, dict):
        raise Invalid(f"{file}: /ordering must be an object with key and description.")
    try:
        return Contract(
            type=_text(file, found, "type"),
            owner=_text(file, found, "owner"),
            title=_text(file, found, "title"),
            description=_text(file, found, "description"),
            pattern=Pattern(_text(file, found, "pattern")),
            classification=Classification(_text(file, found, "classification")),
            ordering=Ordering(_text(file, ordering, "key"), _text(file, ordering, "description")),
            non_delivery_report=(
                None
                if found.get("non_delivery_report") is None
                else _text(file, found, "non_delivery_report")
            ),
            retention_days=_days(file, found),
        )
    except ValueError as error:
        raise Invalid(f"{file}: {error}") from None


def _days(file: Path, found: Mapping[str, Any]) -> int | None:
    days = found.get("retention_days")
    if days is None or (type(days) is int and 1 <= days <= LONGEST_RETENTION):
        return days
    raise Invalid(f"{file}: /retention_days must be a number from 1 to {LONGEST_RETENTION}.")


def _versions(folder: Path) -> Iterator[Version]:
    numbers = sorted(int(file.stem) for file in folder.glob("*.json") if file.stem.isdecimal())
    if numbers != list(range(1, len(numbers) + 1)) or not numbers:
        raise Invalid(
            f"{folder}: the versions {numbers} must be numbered 1, 2, 3, ... "
            "(`nusabus legacy schema` derives the schema of a copybook)."
        )
    for number in numbers:
        reply = folder / f"{number}.reply.json"
        yield Version(
            number,
            (folder / f"{number}.json").read_bytes(),
            reply.read_bytes() if reply.exists() else None,
        )


def _valid(folder: Path) -> Mapping[str, Any]:
    return {file.stem: _parse(file) for file in sorted(folder.glob("*.json"))}


def _invalid(folder: Path) -> Iterator[InvalidExample]:
    for file in sorted(folder.glob("*.json")):
        found = _object(file)
        if "data" not in found:
            raise Invalid(f"{file}: /data is missing.")
        yield InvalidExample(
            file.stem,
            _text(file, found, "reason"),
            _text(file, found, "keyword"),
            _text(file, found, "pointer"),
            found["data"],
        )


def _parse(file: Path) -> Any:
    try:
        return strict_json.parse(file.read_bytes())
    except Malformed as error:
        raise Invalid(f"{file}: {error}") from None


def _object(file: Path) -> dict[str, Any]:
    found = _parse(file)
    if not isinstance(found, dict):
        raise Invalid(f"{file}: must be a JSON object.")
    return found


def _text(file: Path, found: Mapping[str, Any], name: str) -> str:
    value = found.get(name)
    if not isinstance(value, str):
        raise Invalid(f"{file}: /{name} must be a string.")
    return value

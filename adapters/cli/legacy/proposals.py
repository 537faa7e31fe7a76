"""Proposals of `inspect` as flags to copy, and as a layout file."""

from pathlib import Path
from typing import Any

from adapters.cli.exits import Failure
from adapters.legacy_cobol.copybook.kinds import ZonedSigns
from adapters.legacy_cobol.records.framing import (
    Blocked,
    Body,
    Fixed,
    FixedBlocked,
    Lines,
    Prefixed,
)

Keys = dict[str, Any]
_FLAGS = {
    "kind": "--framing", "length": "--length", "block": "--block", "end": "--line-end",
    "blank": "--line-blank", "header": "--rdw-header", "at": "--rdw-at", "size": "--rdw-size",
    "order": "--rdw-order", "code_page": "--code-page", "zoned_signs": "--zoned-signs",
}  # fmt: skip
_SWITCHES = {
    "counts_header": ("--rdw-counts-itself", "--rdw-counts-data"),
    "spanned": ("--spanned", "--unspanned"),
}


def framing_keys(body: Body) -> Keys:
    """The keys of [framing] for a framing."""
    match body:
        case Fixed(length=length):
            return {"kind": "fixed", "length": length}
        case FixedBlocked(length=length, block=block):
            return {"kind": "fixed-blocked", "length": length, "block": block}
        case Prefixed():
            return {"kind": "rdw", **_descriptor(body)}
        case Blocked(records=records):
            inner = _descriptor(records)
            return {"kind": "blocked", **({"records": inner} if inner else {})}
        case Lines(end=end, blank=blank):
            return {"kind": "lines", "end": end, "blank": blank}
    raise ValueError(f"{body} is never proposed")


def encoding_keys(*, ebcdic: bool, signs: ZonedSigns) -> Keys:
    """The keys of [encoding] for a character set."""
    return {"code_page": "cp037"} if ebcdic else {"code_page": "ascii", "zoned_signs": str(signs)}


def flags(*tables: Keys) -> str:
    """The flags of commands for these keys."""
    return " ".join(each for table in tables for each in _words(table))


def write_layout(file: Path, copybook: Path | None, framing: Keys, encoding: Keys) -> None:
    """Write a layout file. Raises Failure if it exists, or the copybook is elsewhere."""
    if file.exists():
        raise Failure(f"{file} exists. Name another file for the layout.")
    if copybook is not None and copybook.resolve().parent != file.resolve().parent:
        raise Failure(f"{copybook} is in another folder. Write the layout beside the copybook.")
    lines = [f'copybook = "{copybook.name}"'] if copybook is not None else [
        "# Put the copybook of the sender beside this file, and name it here.",
        'copybook = "copybook.cpy"',
    ]  # fmt: skip
    for name, table in (("encoding", encoding), ("framing", framing)):
        lines += ["", f"[{name}]", *(f"{key} = {_toml(value)}" for key, value in table.items())]
    file.write_text("\n".join(lines) + "\n")


def _descriptor(body: Prefixed) -> Keys:
    usual = Prefixed()
    found = {
        "header": body.header, "at": body.at, "size": body.size, "order": str(body.order),
        "counts_header": body.counts_header, "spanned": body.spanned,
    }  # fmt: skip
    return {key: value for key, value in found.items() if value != getattr(usual, key)}


def _words(table: Keys) -> list[str]:
    words: list[str] = []
    for key, value in table.items():
        if isinstance(value, dict):
            words += _words(value)
        elif key in _SWITCHES:
            words.append(_SWITCHES[key][not value])
        else:
            words += [_FLAGS[key], str(value)]
    return words


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(each)}" for key, each in value.items()) + " }"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int) else f'"{value}"'

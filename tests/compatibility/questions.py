"""The labelled questions, read from `cases/` and `evolutions/`."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.contracts.compatibility import CompatibilityDirection, CompatibilityPolicy

HERE = Path(__file__).parent
CONTRACTS = HERE.parent.parent / "schemas"


@dataclass(frozen=True)
class Labelled:
    """One question and the right answer."""

    file: str
    name: str
    old: bytes = field(repr=False)
    new: bytes = field(repr=False)
    direction: CompatibilityDirection
    policy: CompatibilityPolicy
    compatible: bool
    why: str
    examples: tuple[bytes, ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        return f"{self.file}: {self.name}, {self.direction}, {self.policy}"


def questions() -> list[Labelled]:
    """All of them, in the order of their files."""
    found: list[Labelled] = []
    for file in sorted((HERE / "cases").glob("*.json")):
        for case in json.loads(file.read_bytes()):
            old, new = json.dumps(case["old"]).encode(), json.dumps(case["new"]).encode()
            found += _labelled(file.stem, case, old, new)
    for file in sorted((HERE / "evolutions").glob("*.json")):
        for case in json.loads(file.read_bytes()):
            found += _evolution(file.stem, case)
    return found


def _labelled(
    file: str, case: dict[str, Any], old: bytes, new: bytes, examples: tuple[bytes, ...] = ()
) -> Iterator[Labelled]:
    for policy, suffix in (
        (CompatibilityPolicy.STRICT, ""),
        (CompatibilityPolicy.OPTIONAL_FRIENDLY, "-friendly"),
    ):
        for direction in CompatibilityDirection:
            label = case.get(f"{direction}{suffix}")
            if label is not None:
                yield Labelled(
                    file, case["name"], old, new, direction, policy, label, case["why"], examples
                )


def _evolution(file: str, case: dict[str, Any]) -> Iterator[Labelled]:
    """A change to a contract of ours: `set` and `remove` name places by JSON pointer."""
    (folder,) = CONTRACTS.glob(f"*/{case['contract']}")
    text = (folder / "versions" / "1.json").read_bytes()
    examples = tuple(each.read_bytes() for each in sorted((folder / "examples/valid").glob("*")))
    new = json.loads(text)
    for pointer in case.get("remove", ()):
        parent, step = _parent(new, pointer)
        parent.pop(step)
    for pointer, value in case.get("set", {}).items():
        parent, step = _parent(new, pointer)
        if isinstance(parent, list) and step == len(parent):
            parent.append(value)
        else:
            parent[step] = value
    return _labelled(file, case, text, json.dumps(new).encode(), examples)


def _parent(document: Any, pointer: str) -> tuple[Any, Any]:
    *way, last = [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]
    for step in way:
        document = document[int(step) if isinstance(document, list) else step]
    if isinstance(document, list):
        return document, len(document) if last == "-" else int(last)
    return document, last

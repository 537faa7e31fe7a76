"""Validation pools, and schemas for them that admission would refuse."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import psutil

from gateway.contracts import ValidationPool
from gateway.contracts.schema_limits import DIALECT
from gateway.contracts.version_schema import VersionSchema

TYPE = "id.go.uji.berat.dicatat.v1"
CHEAP, EXPENSIVE = 0.01, 1e9
ENDLESS_DATA = b"[" + b",".join([b"1"] * 400_000) + b"]"
"""Minutes of work under `endless`."""


def schema(document: dict[str, Any], *, version: int = 1, closed: bool = False) -> VersionSchema:
    text = json.dumps({"$schema": DIALECT, **document}).encode()
    return VersionSchema(TYPE, version, text, closed)


PERSON = schema({"properties": {"n": {"type": "integer", "maximum": 5}}, "required": ["n"]})


def endless() -> VersionSchema:
    defs: dict[str, Any] = {
        f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 5} for n in range(6)
    }
    return schema(
        {"items": {"$ref": "#/$defs/d0"}, "$defs": {**defs, "d6": {"not": {"const": "q"}}}}
    )


@asynccontextmanager
async def opened(**given: Any) -> AsyncIterator[ValidationPool]:
    pool = ValidationPool(**given)
    try:
        yield pool
    finally:
        await pool.close()
        assert children() == []


def children() -> list[psutil.Process]:
    found = psutil.Process().children()
    return [each for each in found if any("validation_pool" in word for word in words(each))]


def words(process: psutil.Process) -> list[str]:
    with suppress(psutil.Error):
        return process.cmdline()
    return []


def working() -> bool:
    return any(each.cpu_times().user > 0.3 for each in children())

"""A Pydantic model of a schema, made by datamodel-code-generator in a process of its own.

The generator is a large program and its input is untrusted. It gets only keywords of JSON Schema
(some of its own keywords add imports to the code) and no external reference. Its process is killed
at a time or memory limit.
"""

import ast
import asyncio
import json
import resource
import sys
from collections.abc import Set as AbstractSet
from decimal import Decimal
from functools import lru_cache
from typing import Any

from pydantic_core import SchemaError, SchemaValidator, core_schema

from gateway.base.errors import Invalid
from gateway.contracts.code.names import class_name, printable
from gateway.contracts.code.plain_names import with_plain_names
from gateway.contracts.keywords import rebuilt
from gateway.contracts.references import localize_references

TIMEOUT = 20.0  # seconds
MEMORY = 1 << 30  # bytes of address space
_KNOWN = {
    "$ref", "$defs", "definitions", "type", "enum", "const", "title", "description", "properties",
    "required", "additionalProperties", "patternProperties", "minProperties", "maxProperties",
    "items", "prefixItems", "additionalItems", "minItems", "maxItems", "uniqueItems", "minLength",
    "maxLength", "pattern", "format", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
    "multipleOf", "allOf", "anyOf", "oneOf",
}  # fmt: skip
RECURSIVE = "allOf"  # the generator makes a class that inherits, so before it, that of each part
# Formats whose Python type accepts the same values and needs no further package.
_FORMATS = {"date-time", "date", "uuid", "ipv4", "ipv6"}
OPTIONS = (
    "--input-file-type", "jsonschema",
    "--output-model-type", "pydantic_v2.BaseModel",
    "--target-python-version", "3.11",
    "--use-annotated", "--field-constraints",
    "--use-standard-collections", "--use-union-operator",
    "--use-schema-description", "--use-field-description",
    "--use-double-quotes", "--collapse-root-models",
    "--strict-types", "str", "int", "float", "bool",
    "--output-datetime-class", "AwareDatetime",
    "--enum-field-as-literal", "all",
    "--formatters", "builtin",
    "--disable-timestamp",
)  # fmt: skip


async def pydantic_model(
    type: str, version: int, schema: Any, *, reply: bool = False, timeout: float = TIMEOUT
) -> str:
    """Python source with a model of the schema, named by `class_name`.

    Raises Invalid if the generator fails, or exceeds a limit.
    """
    header = f"# {type} version {version}, made from its JSON Schema.\n# The schema decides."
    arguments = ("--class-name", class_name(type, reply=reply), "--custom-file-header", header)
    command = (sys.executable, "-P", "-W", "ignore", "-m", "datamodel_code_generator")
    try:
        async with asyncio.timeout(timeout):
            source = await _source((*command, *OPTIONS, *arguments), schema)
        ast.parse(source)
    except TimeoutError:
        raise Invalid(f"Generating a model of {type} took longer than {timeout:g} s.") from None
    except (SyntaxError, ValueError):
        raise Invalid(f"The model of {type} is not valid Python. Simplify its names.") from None
    return source


def prepared(schema: Any, *, without: str = "") -> bytes:
    """The input of the generator for a schema, without a keyword.

    Patterns that Pydantic cannot compile are left to the schema; a large schema takes 0.5 s. Raises
    Invalid for an external reference.
    """
    plain = with_plain_names(localize_references(schema))
    return json.dumps(_bare(plain, _KNOWN - {without}), default=_number).encode()


async def _source(command: tuple[str, ...], schema: Any) -> str:
    """The model; what the generator cannot make of a recursive `allOf` is left to the schema."""
    try:
        return await _run(command, await asyncio.to_thread(prepared, schema))
    except Invalid:
        return await _run(command, await asyncio.to_thread(prepared, schema, without=RECURSIVE))


async def _run(command: tuple[str, ...], text: bytes) -> str:
    """The output of a program for a text; it is killed when the caller stops waiting."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd="/",  # the generator would read a pyproject.toml that it finds
        env={},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        resource.prlimit(process.pid, resource.RLIMIT_AS, (MEMORY, MEMORY))
        out, err = await process.communicate(text)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        reason = (err.decode(errors="replace").strip().splitlines() or ["it ended"])[-1]
        raise Invalid(f"The generator made no model of the schema: {reason[:200]}")
    return out.decode()


def _bare(schema: Any, known: AbstractSet[str]) -> Any:
    """The schema with known keywords only."""
    if not isinstance(schema, dict):
        return schema
    kept = {keyword: value for keyword, value in schema.items() if keyword in known}
    if kept.get("format") not in _FORMATS:
        kept.pop("format", None)
    if not _compiles(kept.get("pattern", "")):
        del kept["pattern"]
    kept |= {name: printable(kept[name]) for name in ("title", "description") if name in kept}
    return rebuilt(kept, lambda _, below: _bare(below, known))


@lru_cache(maxsize=2000)
def _compiles(pattern: object) -> bool:
    """Whether a model can have a pattern: Pydantic's engine bounds the size of what it makes."""
    try:
        SchemaValidator(core_schema.str_schema(pattern=str(pattern)))
    except SchemaError:
        return False
    return True


def _number(value: Any) -> int | float:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError

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
from decimal import Decimal
from typing import Any

from gateway.base.errors import Invalid
from gateway.contracts.code.names import class_name, printable
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
        running = _run((*command, *OPTIONS, *arguments), prepared(schema))
        source = await asyncio.wait_for(running, timeout)
        ast.parse(source)
    except TimeoutError:
        raise Invalid(f"Generating a model of {type} took longer than {timeout:g} s.") from None
    except (SyntaxError, ValueError):
        raise Invalid(f"The model of {type} is not valid Python. Simplify its names.") from None
    return source


def prepared(schema: Any) -> bytes:
    """The input of the generator for a schema. Raises Invalid for an external reference."""
    return json.dumps(_bare(localize_references(schema)), default=_number).encode()


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


def _bare(schema: Any) -> Any:
    """The schema with known keywords only."""
    if not isinstance(schema, dict):
        return schema
    kept = {keyword: value for keyword, value in schema.items() if keyword in _KNOWN}
    if kept.get("format") not in _FORMATS:
        kept.pop("format", None)
    kept |= {name: printable(kept[name]) for name in ("title", "description") if name in kept}
    return rebuilt(kept, lambda _, below: _bare(below))


def _number(value: Any) -> int | float:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError

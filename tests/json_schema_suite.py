"""The official test suite of JSON Schema, as a package of Debian carries it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_specifications  # type: ignore[import-untyped]  # it has no types
import pytest

from deploy.local.external_programs import json_schema_suite

FOLDERS = {
    "draft2020-12": "https://json-schema.org/draft/2020-12/schema",
    "draft2019-09": "https://json-schema.org/draft/2019-09/schema",
    "draft7": "http://json-schema.org/draft-07/schema",
    "draft6": "http://json-schema.org/draft-06/schema",
    "draft4": "http://json-schema.org/draft-04/schema",
}
# What it does not test here: other dialects in one schema, and regular expressions and formats.
LEFT_OUT = {"cross-draft.json", "ecmascript-regex.json", "format.json"}


def found() -> Path:
    """The folder of the suite, or the test is skipped."""
    folder = json_schema_suite()
    if folder is None:
        pytest.skip("the official suite is not here, and apt cannot fetch it")
    return folder


def remotes(suite: Path) -> dict[str, Any]:
    """The schemas that the suite serves at a URL of its own, and the meta-schemas."""
    root = suite / "remotes"
    remote = {
        f"http://localhost:1234/{file.relative_to(root)}": json.loads(file.read_bytes())
        for file in root.rglob("*.json")
    }
    registry = jsonschema_specifications.REGISTRY
    return remote | {uri.rstrip("#"): registry.contents(uri) for uri in registry}


def cases(suite: Path, draft: str) -> Iterator[tuple[str, dict[str, Any], list[Any]]]:
    """Each case of a draft: its name, its schema, and its tests."""
    for file in sorted((suite / "tests" / draft).rglob("*.json")):
        if file.name in LEFT_OUT or file.parent.name == "format":
            continue
        for case in json.loads(file.read_bytes()):
            schema = case["schema"]
            if isinstance(schema, dict):
                schema.setdefault("$schema", FOLDERS[draft])
                if schema["$schema"].rstrip("#") == FOLDERS[draft]:
                    yield f"{file.name}: {case['description']}", schema, case["tests"]

"""Spectral, with its recommended rules, finds nothing in the OpenAPI document."""

import json
from pathlib import Path

from tests.node.conftest import Node
from tests.openapi import openapi_document


def test_the_linter_finds_nothing(node: Node, tmp_path: Path) -> None:
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(openapi_document()))
    spectral = ("node_modules/@stoplight/spectral-cli/dist/index.js", "lint", str(file))
    done = node(*spectral, "--ruleset", "spectral.yaml", "--fail-severity", "hint")
    assert done.returncode == 0, done.stdout + done.stderr

"""The official AsyncAPI parser reads our document."""

import json
from pathlib import Path

import msgspec

from gateway.contracts.asyncapi import document
from tests.asyncapi import SITE, offers_of
from tests.node.conftest import Node

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"
NEWER = "asyncapi-latest-version"  # a hint that 3.1.0 exists


def test_the_parser_finds_nothing_wrong(node: Node, tmp_path: Path) -> None:
    offers = offers_of(SCHEMAS)
    file = tmp_path / "asyncapi.json"
    encode = msgspec.json.Encoder(decimal_format="number").encode
    file.write_bytes(encode(document(offers, SITE)))
    done = node("parse.mjs", str(file))
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["valid"]
    assert [each for each in answer["diagnostics"] if each["code"] != NEWER] == []
    assert answer["operations"] == 2 * len(offers)

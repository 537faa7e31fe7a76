"""The TypeScript compiler takes our types, the valid examples, and not those of a wrong type."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from gateway.base import strict_json
from gateway.contracts import submissions
from gateway.contracts.code import class_name, typescript_type
from gateway.contracts.keywords import at
from gateway.contracts.values import InvalidExample
from tests.node.conftest import Node

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"
TOLD = {"type", "additionalProperties", "enum", "const"}  # what types can say


def is_told(example: InvalidExample) -> bool:
    """Whether TypeScript must refuse it; to it an integer is any number."""
    return example.keyword in TOLD and not isinstance(at(example.data, example.pointer), Decimal)


def literal(data: Any) -> str:
    """Data as an expression; JSON is one."""
    return msgspec.json.Encoder(decimal_format="number").encode(data).decode()


def test_examples_compile_as_the_contracts_judge_them(node: Node, tmp_path: Path) -> None:
    good, bad = set[str](), set[str]()
    for submission in submissions(SCHEMAS):
        type = submission.contract.type
        name = class_name(type)
        source = typescript_type(type, 1, strict_json.parse(submission.versions[-1].text))
        (tmp_path / f"{name}.ts").write_text(source)
        cases = [(good, f"valid-{each}", data) for each, data in submission.valid.items()]
        cases += [(bad, e.name, e.data) for e in submission.invalid if is_told(e)]
        for group, case, data in cases:
            group.add(f"{name}.{case}.ts")
            text = f'import type {{ {name} }} from "./{name}";\n'
            text += f"export const event: {name} = {literal(data)};\n"
            (tmp_path / f"{name}.{case}.ts").write_text(text)
    tsc = "node_modules/typescript7/bin/tsc"
    options = ("--noEmit", "--strict", "--pretty", "false", "--moduleResolution", "bundler")
    files = sorted(str(file) for file in tmp_path.glob("*.ts"))
    done = node(tsc, *options, "--module", "esnext", "--target", "es2022", *files)
    refused = {
        Path(line.partition("(")[0]).name for line in done.stdout.splitlines() if "error TS" in line
    }
    assert refused == bad, done.stdout
    assert len(good) > len(bad) > 20

"""Schemas of others are registered as they are, and what is generated agrees with them.

`published.py` has them. Nine of ten are admitted; the others have an answer that says what to
change. Pydantic, TypeScript and AsyncAPI know those that are admitted.
"""

import io
import json
import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from datamodel_code_generator.__main__ import main
from pydantic import TypeAdapter, ValidationError

from gateway.base import strict_json
from gateway.base.errors import Invalid
from gateway.contracts import Submission, Version, admit
from gateway.contracts.admission import bundles_of
from gateway.contracts.annotations import objects
from gateway.contracts.asyncapi import DocumentedContract, document
from gateway.contracts.code import class_name, typescript_type
from gateway.contracts.code.python import OPTIONS, RECURSIVE, prepared
from gateway.contracts.compatibility.normal_form import normal_form
from gateway.contracts.keywords import at
from gateway.contracts.values import InvalidExample
from tests.asyncapi import SITE
from tests.builders import a_contract
from tests.node.conftest import Node
from tests.node.published import Published, published

FOLDER = "node_modules"
FEWEST = 60
SMALL = 10_000  # bytes


@pytest.fixture(scope="module")
def schemas(tools: Path) -> list[Published]:
    return list(published(tools / FOLDER))


@pytest.fixture(scope="module")
def admitted(schemas: list[Published]) -> list[Published]:
    return [each for each in schemas if not each.advice]


def type_of(each: Published) -> str:
    return f"id.go.uji.{each.name.lower().replace('.', '-').replace('_', '-')}.diterbitkan.v1"


def exact(data: Any) -> Any:
    return strict_json.parse(json.dumps(data).encode())


def standing_alone(each: Published) -> Any:
    return strict_json.parse(bundles_of(Version(1, each.text)).text or each.text)


def submitted(each: Published) -> Submission:
    invalid = (InvalidExample(f"{n}", "", "", "", exact(d)) for n, d in enumerate(each.invalid))
    return Submission(
        a_contract(type=type_of(each)),
        (Version(1, each.text),),
        {f"{n}": exact(data) for n, data in enumerate(each.valid)},
        tuple(invalid),
        {},
        (),
    )


def test_nine_of_ten_are_admitted(schemas: list[Published], admitted: list[Published]) -> None:
    assert len(schemas) >= FEWEST
    assert len(admitted) / len(schemas) >= 0.9
    for each in admitted:
        assert admit(submitted(each)).keys() == {1}, each.name
        normal_form(standing_alone(each))  # it can be compared
    for each in schemas:
        if each.advice:
            with pytest.raises(Invalid, match=re.escape(each.advice)):
                admit(submitted(each))


def model_of(each: Published, monkeypatch: pytest.MonkeyPatch, output: Any) -> TypeAdapter[Any]:
    """The model, by the generator in this process."""
    name, schema = class_name(type_of(each)), standing_alone(each)
    for without in ("", RECURSIVE):
        output.readouterr()
        text = prepared(schema, without=without).decode()
        monkeypatch.setattr(sys, "stdin", io.StringIO(text))
        if main([*OPTIONS, "--class-name", name]) == 0:
            break
    module = types.ModuleType(f"published_{name}")
    sys.modules[module.__name__] = module
    source = output.readouterr().out
    exec(compile(source, module.__name__, "exec"), module.__dict__)  # noqa: S102
    return TypeAdapter(getattr(module, name))


@pytest.mark.filterwarnings("ignore")
def test_pydantic_models_agree(
    admitted: list[Published], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for each in admitted:
        model = model_of(each, monkeypatch, capsys)
        for data in each.valid:
            model.validate_json(json.dumps(data))
        for data in each.invalid:
            with pytest.raises(ValidationError):
                model.validate_json(json.dumps(data))


def cases(each: Published) -> Iterator[tuple[str, Any]]:
    yield from ((f"valid-{number}", data) for number, data in enumerate(each.valid))
    yield from ((f"invalid-{number}", data) for number, data in enumerate(each.invalid))


def test_typescript_agrees(admitted: list[Published], node: Node, tmp_path: Path) -> None:
    for each in admitted:
        name = class_name(type_of(each))
        source = typescript_type(type_of(each), 1, standing_alone(each))
        (tmp_path / f"{name}.ts").write_text(source)
        for case, data in cases(each):
            text = f'import type {{ {name} }} from "./{name}";\n'
            text += f"export const event: {name} = {json.dumps(data)};\n"
            (tmp_path / f"{name}.{case}.ts").write_text(text)
    files = sorted(str(file) for file in tmp_path.glob("*.ts"))
    options = ("--noEmit", "--strict", "--pretty", "false", "--moduleResolution", "bundler")
    modern = ("--module", "esnext", "--target", "es2022")
    done = node(f"{FOLDER}/typescript7/bin/tsc", *options, *modern, *files)
    errors = [line for line in done.stdout.splitlines() if "error TS" in line]
    refused = {Path(line.partition("(")[0]).name for line in errors}
    assert refused == {Path(each).name for each in files if ".invalid-" in each}, done.stdout


def offer(each: Published) -> DocumentedContract:
    return DocumentedContract(
        contract=a_contract(type=type_of(each)),
        version=1,
        dataschema=f"{SITE.url}/v1/contracts/{type_of(each)}/versions/1/schema",
        schema=standing_alone(each),
        example=exact(each.valid[0]),
        may_publish=True,
    )


def test_the_asyncapi_document_leads_nowhere_else(admitted: list[Published]) -> None:
    whole = json.loads(
        json.dumps(document([offer(each) for each in admitted], SITE), default=float)
    )
    references = [each["$ref"] for each in objects(whole["components"]) if "$ref" in each]
    for reference in references:
        assert reference.startswith("#/"), reference
        at(whole, unquote(reference[1:]))
    assert len(references) > 3000


def test_the_asyncapi_parser_reads_them(
    admitted: list[Published], node: Node, tmp_path: Path
) -> None:
    """Small ones: it takes 15 s for one type of FHIR, and its stack ends on schemas of AsyncAPI."""
    offers = [offer(each) for each in admitted if len(each.text) < SMALL]
    file = tmp_path / "asyncapi.json"
    file.write_text(json.dumps(document(offers, SITE), default=float))
    done = node("parse.mjs", str(file))
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["valid"], answer["diagnostics"][:5]
    assert answer["operations"] == len(offers) > 10

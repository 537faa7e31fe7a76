"""Pydantic models: they accept the valid examples, and refuse the invalid ones as far as they can.

The generator runs once in its own process for some contracts, and in this one for all.
"""

import io
import sys
import types
from pathlib import Path
from typing import Any

import msgspec
import pytest
from datamodel_code_generator.__main__ import main
from pydantic import BaseModel, ValidationError

from gateway.base import strict_json
from gateway.base.errors import Invalid
from gateway.contracts import Submission, submissions
from gateway.contracts.code import class_name, pydantic_model
from gateway.contracts.code.python import OPTIONS, prepared

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"
ALL = {submission.contract.type: submission for submission in submissions(SCHEMAS)}
TYPE = "id.go.uji.warga.dicatat.v1"
# What a class with typed members does not say; the last: what is optional may be None.
BEYOND = {"uniqueItems", "format", "required"}
OPTIONAL_AS_NULL = ("id.go.oss.izin.disetujui.v1", "open-end-as-null")


def model(type: str, source: str) -> type[BaseModel]:
    """The model of a type in generated source, imported."""
    module = types.ModuleType(f"generated_{class_name(type)}")
    sys.modules[module.__name__] = module
    exec(compile(source, module.__name__, "exec"), module.__dict__)  # noqa: S102
    found: Any = getattr(module, class_name(type))
    return found  # type: ignore[no-any-return]  # what the source makes of it


def encoded(data: Any) -> bytes:
    return msgspec.json.Encoder(decimal_format="number").encode(data)


def schema_of(submission: Submission) -> Any:
    return strict_json.parse(submission.versions[-1].text)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("type", ALL)
def test_models_of_all_contracts(
    type: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    submission = ALL[type]
    text = prepared(schema_of(submission)).decode()
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))
    assert main([*OPTIONS, "--class-name", class_name(type)]) == 0
    made = model(type, capsys.readouterr().out)
    for data in submission.valid.values():
        made.model_validate_json(encoded(data))
    for example in submission.invalid:
        try:
            made.model_validate_json(encoded(example.data))
        except ValidationError:
            continue
        assert example.keyword in BEYOND or (type, example.name) == OPTIONAL_AS_NULL


async def test_a_model_is_made_in_a_process_of_its_own() -> None:
    submission = ALL["id.go.kemensos.bansos.disalurkan.v1"]
    source = await pydantic_model(submission.contract.type, 1, schema_of(submission))
    assert source.startswith("# id.go.kemensos.bansos.disalurkan.v1 version 1, made from its")
    made = model(submission.contract.type, source)
    for data in submission.valid.values():
        made.model_validate_json(encoded(data))


async def test_what_ministries_write_is_text_in_the_model_and_never_code() -> None:
    evil = '"""\nimport os\nos._exit(3)\n"""'
    schema = {
        "type": "object",
        "title": evil,
        "description": evil,
        "properties": {
            "a": {"type": "string", "x-python-import": {"module": "os", "name": "abort"}},
            "b": {"type": "string", "customTypePath": "os.abort", "description": evil},
            "c": {"enum": [evil, "b'\"\\"], "title": evil},
            evil: {"type": "string", "default": evil, "pattern": evil},
        },
    }
    source = await pydantic_model(TYPE, 1, schema)
    made = model(TYPE, source)
    assert made.model_validate({"a": "x", "c": evil}).model_dump()["a"] == "x"
    assert "abort" not in source


async def test_recursion_and_numbers_beyond_a_double() -> None:
    schema = strict_json.parse(
        b'{"type": "object", "properties": {"anak": {"$ref": "#"}, '
        b'"n": {"type": "number", "maximum": 1.5, "multipleOf": 0.5}}}'
    )
    made = model(TYPE, await pydantic_model(TYPE, 1, schema))
    assert made.model_validate({"anak": {"anak": {}}, "n": 1.0})
    with pytest.raises(ValidationError):
        made.model_validate({"n": 2.0})


async def test_the_generator_is_stopped_in_time() -> None:
    with pytest.raises(Invalid, match="took longer than"):
        await pydantic_model(TYPE, 1, {"type": "object"}, timeout=0.01)


async def test_a_schema_without_a_model_says_so() -> None:
    with pytest.raises(Invalid, match="no model"):
        await pydantic_model(TYPE, 1, False)

"""Rules of SECURITY.md that hold for every module and every operation, whatever is added."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import httpx
import msgspec
import pytest
from fastapi import FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from gateway.base.settings import Settings
from gateway.http import error_handlers, problems
from gateway.identity.credentials import store_secret
from gateway.subscriptions.webhooks import SECRET_BYTES
from tests.openapi import SETTINGS, openapi_document

GATEWAY = Path(__file__).resolve().parents[2] / "gateway"
TREES = {
    str(path.relative_to(GATEWAY)): ast.parse(path.read_text()) for path in GATEWAY.rglob("*.py")
}
# Delays between attempts, and documents that a comparison tries: nothing that must not be guessed.
GUESSABLE = {
    "base/backoff.py",
    "delivery/webhook/retry_schedule.py",
    "contracts/compatibility/alternatives.py",
    "contracts/compatibility/strings.py",
}
APPROVED = {"sha256", "sha512", "blake2b", "compare_digest", "digest", "new"}
RANDOM = {"token_urlsafe", "token_bytes", "token_hex"}


def test_no_value_that_must_not_be_guessed_is_pseudo_random() -> None:
    found = {
        path
        for path, tree in TREES.items()
        for each in ast.walk(tree)
        if (isinstance(each, ast.Import) and any(name.name == "random" for name in each.names))
        or (isinstance(each, ast.ImportFrom) and each.module == "random")
    }
    assert found == GUESSABLE


def test_only_approved_hash_functions_are_used() -> None:
    used = {
        each.attr
        for tree in TREES.values()
        for each in ast.walk(tree)
        if isinstance(each, ast.Attribute)
        and isinstance(each.value, ast.Name)
        and each.value.id in ("hashlib", "hmac")
    }
    assert used <= APPROVED


class _Session:
    """Keeps what is stored, as far as a secret needs it."""

    def __init__(self) -> None:
        self.rows: list[Any] = []

    def add(self, row: object) -> None:
        self.rows.append(row)


def test_secrets_have_256_random_bits_and_are_stored_as_a_keyed_hash() -> None:
    session = _Session()
    settings = Settings.parse(SETTINGS)
    made = [store_secret(cast(AsyncSession, session), settings, "uji-1")[1] for _ in range(50)]
    texts = {secret.get_secret_value() for secret in made}
    assert len(texts) == 50
    assert all(len(text.removeprefix("nbs_")) >= 43 for text in texts), "43 of 6 bits each"
    assert len({row.digest for row in session.rows}) == 50
    assert not any(text in repr(vars(row)) for text in texts for row in session.rows)
    assert SECRET_BYTES == 32, "of webhooks"


def test_passwords_of_broker_users_have_256_random_bits() -> None:
    tree = TREES["subscriptions/lifecycle.py"]
    sizes = [
        cast(ast.Constant, each.args[0]).value
        for each in ast.walk(tree)
        if isinstance(each, ast.Call)
        and isinstance(each.func, ast.Attribute)
        and each.func.attr in RANDOM
    ]
    assert sizes
    assert set(sizes) == {32}


def bodies() -> Iterator[tuple[str, dict[str, Any]]]:
    """The schema of each JSON body that a model of ours reads, by operation."""
    for methods in openapi_document()["paths"].values():
        for operation in methods.values():
            content = operation.get("requestBody", {}).get("content", {})
            if "application/json" in content:
                yield operation["operationId"], content["application/json"]["schema"]


def open_objects(schema: Any, at: str, seen: set[str]) -> Iterator[str]:
    """Where an object with named members accepts others as well."""
    if isinstance(schema, list):
        for index, each in enumerate(schema):
            yield from open_objects(each, f"{at}/{index}", seen)
    if not isinstance(schema, dict):
        return
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference not in seen:
        seen.add(reference)
        name = reference.rpartition("/")[2]
        yield from open_objects(openapi_document()["components"]["schemas"][name], name, seen)
    if "properties" in schema and schema.get("additionalProperties") is not False:
        yield at
    for keyword, each in schema.items():
        if keyword == "properties":
            for name, member in each.items():
                yield from open_objects(member, f"{at}/{name}", seen)
        elif keyword in ("items", "additionalProperties", "anyOf", "oneOf", "allOf"):
            yield from open_objects(each, f"{at}/{keyword}", seen)


@pytest.mark.parametrize(("operation", "schema"), list(bodies()), ids=lambda each: str(each)[:40])
def test_no_body_accepts_a_member_that_its_model_does_not_name(
    operation: str, schema: dict[str, Any]
) -> None:
    assert list(open_objects(schema, operation, set())) == []


async def test_a_defect_is_answered_with_one_sentence() -> None:
    """Neither the kind of the error, nor its text, nor a trace."""
    app = FastAPI()
    error_handlers.install(app)

    @app.get("/v1/things/{name}")
    async def crash(name: str) -> None:
        raise ValueError(f"NIK 3273015104089901 of {name}")

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://bus.test") as client:
        answer = await client.get("/v1/things/siti")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == problems.MEDIA_TYPE
    assert answer.json() == msgspec.json.decode(
        msgspec.json.encode(problems.describe(problems.DEFECT))
    )
    for word in ("3273", "siti", "ValueError", "Traceback", "gateway/", ".py"):
        assert word not in answer.text


def calls() -> Iterator[tuple[str, str, ast.Call]]:
    """Every call in the gateway: its file, the name that is called, and the call."""
    for path, tree in TREES.items():
        for each in ast.walk(tree):
            if isinstance(each, ast.Call):
                called = each.func
                name = called.attr if isinstance(called, ast.Attribute) else ""
                yield path, getattr(called, "id", name), each


def test_no_shell_and_no_code_from_text() -> None:
    forbidden = {"eval", "exec", "system", "popen", "create_subprocess_shell", "Popen", "getoutput"}
    assert [(path, name) for path, name, _ in calls() if name in forbidden] == []
    assert [
        path
        for path, _, call in calls()
        for keyword in call.keywords
        if keyword.arg == "shell"
    ] == []  # fmt: skip
    starting = {path for path, name, _ in calls() if name == "create_subprocess_exec"}
    assert starting == {"contracts/child_process.py", "contracts/code/python.py"}


def test_nothing_is_unpickled_but_what_the_gateway_wrote() -> None:
    """A submission goes to its child process so; the child answers with JSON."""
    loads = ("loads", "load", "Unpickler")
    found = {
        path
        for path, name, call in calls()
        if name in loads and "pickle" in ast.unparse(call.func)
    }  # fmt: skip
    assert found == {"contracts/admission_worker.py"}


def test_every_dependency_is_locked_by_its_hash() -> None:
    lines = (GATEWAY.parent / "requirements.lock").read_text().splitlines()
    named = [number for number, line in enumerate(lines) if line and line[0] not in " #"]
    assert len(named) > 50
    for number in named:
        assert "==" in lines[number], lines[number]
        assert "--hash=sha256:" in lines[number + 1], lines[number]
    assert not any("://" in line for line in lines)


def test_the_processes_hold_no_code_of_tests_and_local_servers() -> None:
    imported = {
        (name.name if isinstance(each, ast.Import) else each.module or "").partition(".")[0]
        for tree in TREES.values()
        for each in ast.walk(tree)
        if isinstance(each, ast.Import | ast.ImportFrom)
        for name in each.names
    }
    assert not imported & {"tests", "bench", "deploy", "pytest", "adapters", "consumers"}

"""The pages for operators list exactly the settings, log events and metrics that the code has."""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from pydantic.fields import FieldInfo

from gateway.base.settings import PREFIX, Settings

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "docs/operations"
MODULES = sorted(path for room in ("gateway", "adapters", "consumers") for path in
                 (ROOT / room).rglob("*.py"))  # fmt: skip
LEVELS = {"info": "info", "warning": "warning", "error": "error", "exception": "error"}
_LOGGER = re.compile(r"(telemetry\.)?_?log(\(\))?|structlog\.get_logger\(\)")
_CODE = re.compile(r"`([^`]+)`")


class LogCall(NamedTuple):
    """A log event, its level, and its fields; a call may pass further fields as a mapping."""

    event: str
    level: str
    fields: frozenset[str]
    open: bool


def rows(page: str, heading: str = "") -> Iterator[list[str]]:
    """The rows of the tables of a page that begin with a name in backticks, cell by cell."""
    text = (PAGES / page).read_text()
    assert f"\n## {heading}" in text or not heading
    for line in text.split(f"\n## {heading}", 1)[-1].splitlines():
        if heading and line.startswith("## "):
            return
        if line.startswith("| `"):
            yield [cell.strip() for cell in line.strip()[1:-1].split("|")]


def default(field: FieldInfo) -> str | None:
    """The default as the page shows it; None if the page may explain it in words."""
    if field.is_required():
        return "required"
    if isinstance(field.default, bool):
        return f"`{str(field.default).lower()}`"
    if isinstance(field.default, float):
        return f"`{field.default:g}`"
    return None if field.default is None else f"`{field.default}`"


def test_settings_are_listed_with_their_defaults() -> None:
    listed = {_CODE.findall(name)[0]: shown for name, shown, _ in rows("settings.md")}
    defaults = {PREFIX + name.upper(): default(field) for name, field in
                Settings.model_fields.items()}  # fmt: skip
    assert listed.keys() == defaults.keys()
    assert {name: shown for name, shown in listed.items() if defaults[name] is not None} == {
        name: expected for name, expected in defaults.items() if expected is not None
    }


def test_pages_name_settings_that_exist() -> None:
    files = ("CERTIFICATE_FILE", "KEY_FILE", "CA_FILE")
    names = ("CLIENT_ID", "CLIENT_SECRET", "GRPC", "X", "X_FILE", *files)
    of_commands = {PREFIX + name for name in names}
    known = {PREFIX + name.upper() for name in Settings.model_fields} | of_commands
    pages = [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "SECURITY.md"]
    named = {
        (page.name, name) for page in pages for name in re.findall(r"NUSABUS_\w+", page.read_text())
    }
    assert {each for each in named if each[1] not in known} == set()


def log_calls(tree: ast.Module) -> Iterator[LogCall]:
    for call in ast.walk(tree):
        if (
            isinstance(call, ast.Call)
            and isinstance(call.func, ast.Attribute)
            and call.func.attr in LEVELS
            and _LOGGER.fullmatch(ast.unparse(call.func.value))
        ):
            names = [each.arg for each in call.keywords]
            fields = frozenset(name for name in names if name and name != "exc_info")
            for event in texts(call.args[0], tree):
                yield LogCall(event, LEVELS[call.func.attr], fields, None in names)


def texts(value: ast.expr, tree: ast.Module) -> Iterable[str]:
    """The texts that an expression may be; a name is looked up where the module gives it one."""
    if isinstance(value, ast.Constant):
        return [str(value.value)]
    if isinstance(value, ast.IfExp):
        return [*texts(value.body, tree), *texts(value.orelse, tree)]
    assert isinstance(value, ast.Name), ast.unparse(value)
    return [text for each in given(value.id, tree) for text in texts(each, tree)]


def given(name: str, tree: ast.Module) -> Iterator[ast.expr]:
    """What a module assigns to a name, or passes as the first parameter of that name."""
    functions = {
        each.name
        for each in ast.walk(tree)
        if isinstance(each, ast.FunctionDef) and [a.arg for a in each.args.args[:1]] == [name]
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and name in map(ast.unparse, node.targets):
            yield node.value
        if isinstance(node, ast.Call) and ast.unparse(node.func) in functions:
            yield node.args[0]


def test_log_events_are_listed_with_their_fields() -> None:
    listed = {_CODE.findall(event)[0]: (level, set(_CODE.findall(fields)))
              for event, level, fields, _ in rows("logs-and-metrics.md", "Log events")}  # fmt: skip
    found = [call for path in MODULES for call in log_calls(ast.parse(path.read_text()))]
    assert listed.keys() == {call.event for call in found}
    for call in found:
        level, fields = listed[call.event]
        assert level == call.level, call
        assert fields >= call.fields if call.open else fields == call.fields, call


def metrics(tree: ast.Module) -> Iterator[str]:
    """The names of metrics, as they are exposed."""
    counters = {
        ast.unparse(call.args[0])
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "Counter" and call.args
    }
    for node in ast.walk(tree):
        name = str(node.value) if isinstance(node, ast.Constant) else ""
        if re.fullmatch(r"nusabus_[a-z_]+", name):
            yield f"{name}_total" if ast.unparse(node) in counters else name


def test_metrics_are_listed() -> None:
    listed = [_CODE.findall(name)[0] for name, *_ in rows("logs-and-metrics.md", "Metrics")]
    found = {
        name
        for path in MODULES
        if "prometheus_client" in (source := path.read_text())
        for name in metrics(ast.parse(source))
    }
    assert sorted(listed) == sorted(found)


@pytest.mark.parametrize(
    ("source", "events"),
    [
        ('log().info("a.b", x=1)', {("a.b", "info")}),
        ('telemetry.log().error("a.b")', {("a.b", "error")}),
        ('_log.exception("a.b")', {("a.b", "error")}),
        ('e = "a.b" if c else "a.d"\nlog().warning(e)', {("a.b", "warning"), ("a.d", "warning")}),
        ('def _f(e): log().info(e)\n_f("a.b")\n_f("a.d")', {("a.b", "info"), ("a.d", "info")}),
        ('logging.info("a.b")\nscreen.error("c.d")', set()),
    ],
)
def test_log_calls_are_found(source: str, events: set[tuple[str, str]]) -> None:
    assert {call[:2] for call in log_calls(ast.parse(source))} == events

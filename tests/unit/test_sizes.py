"""Small units: no file above 300 lines, no function above 40."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("gateway", "adapters", "consumers", "deploy", "bench", "tests")
FILE_LINES, FUNCTION_LINES = 300, 40


def functions(source: str) -> Iterator[tuple[str, int]]:
    """Every function with its lines, without decorators: those hold tables of data."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1


@pytest.mark.parametrize("folder", FOLDERS)
def test_files_and_functions_are_small(folder: str) -> None:
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files
    long = []
    for file in files:
        source = file.read_text()
        if (lines := source.count("\n")) > FILE_LINES:
            long.append(f"{file.relative_to(ROOT)}: {lines} lines")
        long += [
            f"{file.relative_to(ROOT)}: {name} has {lines} lines"
            for name, lines in functions(source)
            if lines > FUNCTION_LINES
        ]
    assert long == []


def test_a_long_function_is_found() -> None:
    body = "    x = 1\n" * FUNCTION_LINES
    assert dict(functions(f"def a():\n{body}")) == {"a": FUNCTION_LINES + 1}

"""Each row of SECURITY.md's tables of defences names tests that exist."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_NAMED = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
_PATH = re.compile(r"`((?:gateway|adapters|consumers|deploy|docs|tests)/[\w./-]+)(?:::\w+)?`")


def rows() -> Iterator[tuple[str, str]]:
    """The first and the last cell of each row whose table has a column of tests."""
    last = ""
    for line in (ROOT / "SECURITY.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|"):
            last = ""
        elif not last:
            last = cells[-1]
        elif last == "test" and not line.startswith("|---"):
            yield cells[0], cells[-1]


@cache
def names_in(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text())
    return frozenset(
        each.name
        for each in ast.walk(tree)
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
        and each.name.startswith("test_")
    )


@pytest.mark.parametrize(("defence", "cell"), list(rows()))
def test_each_row_names_tests_that_exist(defence: str, cell: str) -> None:
    named = _NAMED.findall(cell)
    assert named, f"{defence}: name a test"
    for path, name in named:
        assert (ROOT / path).is_file(), path
        assert names_in(path), path
        assert not name or name in names_in(path), f"{path}::{name}"


def test_paths_in_the_page_exist() -> None:
    found = _PATH.findall((ROOT / "SECURITY.md").read_text())
    assert [each for each in found if not (ROOT / each).exists()] == []


def test_the_tables_are_read() -> None:
    names = [first for first, _ in rows()]
    assert sum(name.startswith("API") for name in names) == 10
    assert sum(name.startswith("V") for name in names) > 30

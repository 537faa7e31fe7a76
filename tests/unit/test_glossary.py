"""`docs/glossary.md` is kept: each term is used, and no retired word is a name in the code."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GLOSSARY = ROOT / "docs" / "glossary.md"
CODE = ("gateway", "adapters", "consumers", "deploy", "tests", "bench")


def terms() -> list[str]:
    """The terms of all tables; a row may name several, with commas between them."""
    rows = re.findall(r"^\| ([^|]+) \| [^|]+ \| [^|]+ \|$", GLOSSARY.read_text(), re.M)
    return [term.strip() for row in rows if row != "term" for term in row.split(",")]


def retired() -> list[str]:
    """The words of the last section."""
    section = GLOSSARY.read_text().partition("## Retired words")[2]
    return re.findall(r"`(\w+)`", section)


@cache
def sources() -> dict[Path, str]:
    """Every Python file that is ours."""
    return {
        path.relative_to(ROOT): path.read_text()
        for folder in CODE
        for path in (ROOT / folder).rglob("*.py")
    }


@cache
def names() -> dict[str, str]:
    """Every name that our code defines or uses, without leading underscores, and where it is."""
    return {
        name.strip("_"): f"{path}:{line}"
        for path, source in sources().items()
        for name, line in _names(ast.parse(source), path)
    }


def _names(tree: ast.AST, path: Path) -> Iterator[tuple[str, int]]:
    """What others named and a file imports, such as rich's `Progress`, is not ours to name."""
    theirs = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] not in CODE
        for alias in node.names
    }
    yield from ((name, line) for name, line in _all_names(tree, path) if name not in theirs)


def _all_names(tree: ast.AST, path: Path) -> Iterator[tuple[str, int]]:
    yield from ((part, 1) for part in (path.stem, path.parent.name))
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name):
                yield name, node.lineno
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name, node.lineno
            case ast.ClassDef(name=name):
                yield name, node.lineno
            case ast.arg(arg=name) | ast.keyword(arg=str(name)):
                yield name, node.lineno


@pytest.mark.parametrize("word", retired())
def test_a_retired_word_is_no_name(word: str) -> None:
    assert word not in names(), f"{word} is retired, see docs/glossary.md: {names()[word]}"


@pytest.mark.parametrize("term", terms())
def test_a_term_is_used(term: str) -> None:
    pattern = re.compile(r"(?i)" + r"[\s_-]*".join(map(re.escape, re.split(r"[\s-]", term))))
    own = Path("tests/unit/test_glossary.py")
    assert any(pattern.search(source) for path, source in sources().items() if path != own), (
        f"{term} stands in the glossary and nowhere in the code"
    )


def test_the_glossary_is_read() -> None:
    assert len(terms()) > 80
    assert len(retired()) > 40

"""No room reads or writes another's tables: neither by its rows nor by SQL."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tables import OWNED, VIEWS

GATEWAY = Path(__file__).parents[2] / "gateway"
ROOMS = sorted(path.name for path in GATEWAY.iterdir() if (path / "__init__.py").exists())
VERSIONS = GATEWAY / "migrations/versions"
RENAMED = {"journal_entries": "journal_rows"}
# The trigger that adds what a dead letter needs to know of its event.
READ_BY_TRIGGERS = {"delivery": {"journal_entries"}}

_SQL = re.compile(r"\b(SELECT|INSERT|UPDATE|DELETE|FROM|JOIN|INTO|USING|WHERE|TABLE)\b")
_WORD = re.compile(r"(?<![\w:])\w+")  # no parameter of a statement
_CREATED = re.compile(r"^CREATE (?:UNLOGGED )?TABLE (\w+)", re.MULTILINE)
_READ = re.compile(r"\b(?:FROM|JOIN|UPDATE|INTO) (?!ON\b)(\w+)")


def foreign_tables(room: str, source: str) -> Iterator[str]:
    """The tables of other rooms that a module's SQL or imports name, each with its line."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            words = set(_WORD.findall(node.value)) if _SQL.search(node.value) else set()
            for table in sorted(words & _foreign(room)):
                yield f"line {node.lineno}: {table}"
        if isinstance(node, ast.ImportFrom) and node.module:
            owner = re.fullmatch(r"gateway\.(\w+)\.tables", node.module)
            if owner and owner[1] != room:
                yield f"line {node.lineno}: {node.module}"


def _foreign(room: str) -> set[str]:
    owners = {owner: OWNED[owner] | VIEWS.get(owner, frozenset()) for owner in OWNED}
    return {name for owner, names in owners.items() if owner != room for name in names}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_names_no_table_of_another(room: str) -> None:
    found = [
        f"{path.relative_to(GATEWAY)}, {each}"
        for path in sorted((GATEWAY / room).rglob("*.py"))
        for each in foreign_tables(room, path.read_text())
    ]
    assert found == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('"SELECT name FROM subscriptions"', ["line 1: subscriptions"]),
        ('f"UPDATE {x}" f"\\nFROM delivery_open o, grants g"', ["line 1: grants"]),
        ("from gateway.identity.tables import GrantRow", ["line 1: gateway.identity.tables"]),
        ('"the subscriptions of an organisation"', []),
        ('"SELECT FROM delivery_open"', []),
    ],
)
def test_the_search_finds_what_it_should(source: str, found: list[str]) -> None:
    assert list(foreign_tables("delivery", source)) == found


@pytest.mark.parametrize("room", sorted(OWNED))
def test_the_migrations_of_a_room_make_its_tables_and_read_no_other(room: str) -> None:
    sql = re.sub(r"--.*", "", "".join(path.read_text() for path in VERSIONS.glob(f"*/{room}.sql")))
    made = {RENAMED.get(table, table) for table in _CREATED.findall(sql)}
    assert made == OWNED[room]
    read = set(_READ.findall(sql)) & _foreign(room)
    assert read == READ_BY_TRIGGERS.get(room, set())

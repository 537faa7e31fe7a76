"""`jsonschema-rs` validates data and `jsonschema` is the reference: they agree, or it is known.

`known_differences.json` lists where they are known to differ on what a contract may hold, with
documents that show it and the reason. A difference that is not listed fails here, and so does a
listed one that is gone.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gateway.base import strict_json
from gateway.base.errors import Invalid
from gateway.contracts.keywords import subschemas
from tests.unit.contracts.validators import (
    DIALECTS,
    NUMBERS,
    POOLS,
    TEXTS,
    admitted,
    atom,
    dialect_schemas,
    documents,
    formats_of,
    leaves,
    results,
    usual,
)

KNOWN = json.loads(Path(__file__).with_name("known_differences.json").read_text())


@pytest.mark.parametrize(
    "known", KNOWN, ids=lambda known: f"{known['keyword']}-{known['reason'][:40]}"
)
def test_a_listed_difference_is_still_there(known: dict[str, Any]) -> None:
    documents = [strict_json.parse(text.encode()) for text in known["documents"]]
    gone = [
        (dialect, value)
        for dialect in known.get("dialects", DIALECTS)
        for value in known["values"]
        if not any(_as_listed(known, dialect, json.dumps(value), data) for data in documents)
    ]
    assert not gone, "no longer a difference: take it off the list"


@pytest.mark.parametrize("dialect", DIALECTS)
def test_of_every_format_pattern_and_number_all_differences_are_listed(dialect: str) -> None:
    pools = {**POOLS, "format": formats_of(dialect)}
    texts = (*map(json.dumps, TEXTS), *NUMBERS)
    unlisted = [
        (keyword, value, text)
        for keyword, pool in pools.items()
        for value in pool
        for text in texts
        if _differ(dialect, keyword, value, text)
    ]
    assert not unlisted


@settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(dialect_schemas(), st.lists(documents, min_size=5, max_size=15))
def test_the_two_validators_agree_or_the_difference_is_listed(
    pair: tuple[str, dict[str, Any]], drawn: list[Any]
) -> None:
    dialect, schema = pair
    try:
        compiled = admitted(schema)
    except Invalid:
        assume(False)
    for data in (*drawn, *usual):
        ours, reference = results(compiled, data)
        if ours != reference:
            assert _listed(dialect, schema, data), (schema, data, ours, reference)


def _differ(dialect: str, keyword: str, value: Any, text: str) -> bool:
    """Whether the validators differ on a keyword alone, and that is not listed."""
    data = strict_json.parse(text.encode())
    try:
        ours, reference = results(atom(dialect, keyword, json.dumps(value)), data)
    except Invalid:  # not in this dialect
        return False
    return ours != reference and not _listed(dialect, {keyword: value}, data)


def _listed(dialect: str, schema: Any, data: Any) -> bool:
    """Whether some keyword of the schema alone differs on some value of the document, as listed."""
    return any(
        _as_listed(known, dialect, value, leaf)
        for keyword, value in set(_keywords(schema))
        for known in _of(keyword)
        if json.loads(value) in known["values"] and dialect in known.get("dialects", DIALECTS)
        for leaf in leaves(data)
    )


def _keywords(schema: Any) -> list[tuple[str, str]]:
    found = []
    for _, part in subschemas(schema):
        if isinstance(part, dict):
            found += [(name, json.dumps(value)) for name, value in part.items()]
            found += [("pattern", json.dumps(name)) for name in part.get("patternProperties", ())]
    return found


@cache
def _of(keyword: str) -> list[dict[str, Any]]:
    return [known for known in KNOWN if known["keyword"] == keyword]


def _as_listed(known: dict[str, Any], dialect: str, value: str, data: Any) -> bool:
    found = results(atom(dialect, known["keyword"], value), data)
    return found == (known["jsonschema-rs"], known["jsonschema"])

"""A schema beside all versions of its history."""

import time

from gateway.contracts.compatibility import (
    CompatibilityMode,
    CompatibilityPolicy,
    Compatible,
    Incompatible,
    Rule,
    Undecided,
)
from tests.unit.compatibility.checkers import a_checker, endless

TEXT, INTEGER = {"type": "string"}, {"type": "integer"}
V1 = {"type": "object", "properties": {"a": TEXT, "b": TEXT}}
V2 = {"type": "object", "properties": {"b": TEXT}}
V3 = {"type": "object", "properties": {"a": INTEGER, "b": TEXT}}


async def test_a_history_stops_at_the_first_incompatibility() -> None:
    async with a_checker() as compatibility:
        rule = Rule(CompatibilityMode.BACKWARD_TRANSITIVE)
        history = await compatibility.compare_history(TEXT, {1: INTEGER, 2: TEXT, 3: TEXT}, rule)
    assert isinstance(history.result, Incompatible)
    assert history.against == 1


async def test_a_history_without_transitivity_compares_the_newest_version_only() -> None:
    async with a_checker() as compatibility:
        history = await compatibility.compare_history(
            TEXT, {1: INTEGER, 2: TEXT}, Rule(CompatibilityMode.FULL)
        )
    assert history.result == Compatible()
    assert history.against is None


async def test_a_history_that_is_open_somewhere_is_undecided() -> None:
    async with a_checker() as compatibility:
        history = await compatibility.compare_history(
            TEXT, {1: TEXT, 2: b"{", 3: TEXT}, Rule(CompatibilityMode.BACKWARD_TRANSITIVE)
        )
    assert isinstance(history.result, Undecided)
    assert history.against == 2


async def test_a_history_that_takes_too_long_is_undecided() -> None:
    versions = dict.fromkeys(range(1, 40), endless("integer"))
    started = time.perf_counter()
    async with a_checker(limit=0.4) as compatibility:
        history = await compatibility.compare_history(
            endless("number"), versions, Rule(CompatibilityMode.BACKWARD_TRANSITIVE)
        )
    assert isinstance(history.result, Undecided)
    assert time.perf_counter() - started < 6


async def test_a_member_that_came_back_with_another_type_is_seen() -> None:
    rule = Rule(CompatibilityMode.BACKWARD_TRANSITIVE, CompatibilityPolicy.OPTIONAL_FRIENDLY)
    async with a_checker() as compatibility:
        assert (await compatibility.compare_history(V2, {1: V1}, rule)).result == Compatible()
        history = await compatibility.compare_history(V3, {1: V1, 2: V2}, rule)
    assert history.against == 1
    assert isinstance(history.result, Incompatible)

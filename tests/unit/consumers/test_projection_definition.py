"""What a class must have to be a projection, and what is said where it lacks it."""

import re
from typing import Any

import pytest

from consumers.events import Event
from consumers.projection import Projection, live, on

TABLES = "CREATE TABLE a (id int PRIMARY KEY)"


def a_handler() -> Any:
    async def handler(self: object, event: Event, connection: object) -> None:
        """Does nothing."""

    return handler


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"name": "Ktp"}, "Faulty.name must match"),
        ({"name": "a" * 41}, "Faulty.name must match"),
        ({"version": 0}, "Faulty.version must be an integer from 1."),
        ({"version": True}, "Faulty.version must be an integer from 1."),
        ({"tables": " "}, "Faulty.tables must create its tables."),
        ({"made": a_handler()}, "Faulty has no handler. Mark one with @on(type)."),
        ({"other": on("a", "b")(a_handler())}, "Faulty has two handlers of a: made, other."),
    ],
)
def test_a_class_that_is_no_projection(members: dict[str, Any], said: str) -> None:
    usual = {"name": "a", "version": 1, "tables": TABLES, "made": on("a")(a_handler())}
    with pytest.raises(TypeError, match=re.escape(said)):
        type("Faulty", (Projection,), {**usual, **members})


@pytest.mark.parametrize("types", [(), ("",), (1,)])
def test_a_handler_needs_types(types: Any) -> None:
    with pytest.raises(TypeError, match="Name the event types"):
        on(*types)


def test_the_types_are_those_of_handlers_and_effects() -> None:
    class Both(Projection):
        name = "both"
        tables = TABLES

        @on("b", "a")
        async def one(self, event: Event, connection: object) -> None:
            """Handles."""

        @live("c")
        async def two(self, event: Event, key: str) -> None:
            """Sends."""

    class Changed(Both):
        async def one(self, event: Event, connection: object) -> None:
            """Handles in another way."""

    assert Changed.handlers == Both.handlers
    assert Both.types() == ["a", "b", "c"]
    assert Both.handlers == {"a": "one", "b": "one"}
    assert Both.live_effects == {"c": "two"}

"""What a service writes: a projection as a class with its tables and handlers."""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar, TypeVar

import asyncpg

from consumers.events import Event

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)  # a part of the names of schemas
_ON, _LIVE = "_projection_on", "_projection_live"

Connection = asyncpg.Connection
"""A connection in the transaction of a batch. Tables without a schema are those of the build."""

Method = TypeVar("Method", bound=Callable[..., Awaitable[None]])


def on(*types: str) -> Callable[[Method], Method]:
    """A handler `(self, event, connection)` of these event types.

    It writes the projection's own tables, and nothing else. What it writes must follow from the
    event and from those tables alone: no clock, no random value. Then every rebuild is equal.
    """
    return _marked(_ON, types)


def live(*types: str) -> Callable[[Method], Method]:
    """A live effect `(self, event, key)` of these event types: an SMS, a mail.

    It is called after the commit of an event that comes while the projection runs, never for one
    of a rebuild or a replay. A crash may call it again for the same event. `key` is equal then:
    give it to the receiver, so that it drops the second one.
    """
    return _marked(_LIVE, types)


def _marked(mark: str, types: tuple[str, ...]) -> Callable[[Method], Method]:
    if not types or not all(isinstance(each, str) and each for each in types):
        raise TypeError("Name the event types: @on('id.go.kemendagri.ktp.dibuat.v1').")

    def decorate(method: Method) -> Method:
        setattr(method, mark, types)
        return method

    return decorate


class Projection:
    """A read model. Subclasses set `name`, `version` and `tables`, and have `@on` handlers.

    `tables` are the statements that create its tables, without a schema; each has a primary key.
    Raise `version` whenever tables or handlers change: version 2 is built beside version 1.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    tables: ClassVar[str]
    handlers: ClassVar[Mapping[str, str]] = {}
    live_effects: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(cls, **options: Any) -> None:
        """Raises TypeError for a class that cannot be a projection, and says why."""
        super().__init_subclass__(**options)
        cls.handlers, cls.live_effects = _methods(cls, _ON), _methods(cls, _LIVE)
        if not _NAME.fullmatch(getattr(cls, "name", "")):
            raise TypeError(f"{cls.__name__}.name must match {_NAME.pattern}.")
        if type(cls.version) is not int or cls.version < 1:
            raise TypeError(f"{cls.__name__}.version must be an integer from 1.")
        if not getattr(cls, "tables", "").strip():
            raise TypeError(f"{cls.__name__}.tables must create its tables.")
        if not cls.handlers:
            raise TypeError(f"{cls.__name__} has no handler. Mark one with @on(type).")

    @classmethod
    def types(cls) -> list[str]:
        """The event types that it needs, sorted."""
        return sorted({*cls.handlers, *cls.live_effects})

    async def handle(self, event: Event, connection: Connection) -> None:
        """Call the handler of the event, if there is one."""
        if (name := self.handlers.get(event.type)) is not None:
            await getattr(self, name)(event, connection)


def _methods(cls: type, mark: str) -> dict[str, str]:
    """The methods of a class with a mark, by event type; an override keeps the mark."""
    found: dict[str, str] = {}
    for name in dir(cls):
        marks = [getattr(vars(base).get(name), mark, None) for base in cls.__mro__]
        for each in next(filter(None, marks), ()):
            if each in found:
                raise TypeError(
                    f"{cls.__name__} has two handlers of {each}: {found[each]}, {name}."
                )
            found[each] = name
    return found

"""What the events of a client have in common: stored once, and remembered by whoever reads them."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from gateway.base.errors import JournalUnavailable
from gateway.base.event import AttributeValue, Event
from gateway.journal import sql
from gateway.journal.entry import Candidate

_encode = msgspec.json.Encoder().encode
_attributes = msgspec.json.Decoder(dict[str, AttributeValue]).decode
# The attribute that nearly all events have, and with one value.
_NAME, _VALUE = "datacontenttype", "application/json"
_COMMON = _encode({_NAME: _VALUE})[1:-1].decode()


class Origin(NamedTuple):
    """A row of `journal_origins`. It never changes, and its number is never given to another."""

    type: str
    client: str
    publisher: str
    contract_version: int
    is_binary: bool
    attributes: dict[str, AttributeValue]

    @classmethod
    def of(
        cls,
        type: str,
        client: str,
        publisher: str,
        contract_version: int,
        is_binary: bool,
        attributes: str = "",
    ) -> "Origin":
        """That of these columns; `attributes` are members of a JSON object, without its braces."""
        common = _attributes(f"{{{attributes}}}")
        return cls(type, client, publisher, contract_version, is_binary, common)

    def event(self, id: str, source: str, subject: str | None, own: str, data: Any) -> Event:
        """An event of this origin, with attributes of its own."""
        attributes = _attributes(own)
        if self.attributes:
            attributes = self.attributes | attributes
        return Event(id, source, self.type, subject, attributes, data, self.is_binary)


def facts_and_attributes(candidate: Candidate) -> tuple[str, str]:
    """The key of an event's origin, and the attributes that are its own, as JSON."""
    event = candidate.event
    attributes, common = event.attributes, ""
    if attributes.get(_NAME) == _VALUE:
        attributes = {name: attributes[name] for name in attributes if name != _NAME}
        common = _COMMON
    return (
        f"{event.type}\n{candidate.client}\n{candidate.publisher}\n{candidate.contract_version}\n"
        f"{event.binary:d}\n{common}",
        _encode(attributes).decode(),
    )


class Origins:
    """The origins that this process has met, by number: as many as were granted and registered.

    Numbers are random, so that one which a restored journal gives anew is no other's of before.
    """

    def __init__(self, fetch: Callable[..., Awaitable[Sequence[Any]]]) -> None:
        self._fetch = fetch
        self._known: dict[int, Origin] = {}

    async def of(self, numbers: Iterable[int | None]) -> dict[int, Origin]:
        """At least those with these numbers. Raises JournalUnavailable where one is missing."""
        missing = {number for number in numbers if number is not None} - self._known.keys()
        if missing:
            for number, *facts in await self._fetch(sql.ORIGINS, list(missing)):
                self._known[number] = Origin.of(*facts)
            if missing - self._known.keys():  # an entry is never stored without its origin
                raise JournalUnavailable("The journal was restored while it was read. Try again.")
        return self._known

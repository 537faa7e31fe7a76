"""`GET /v1/events`: look up an event, and where it stands."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Query
from pydantic import BaseModel
from starlette.responses import Response

from gateway.base import errors
from gateway.base.event import REQUESTED_BY, identity_of
from gateway.base.times import rfc3339
from gateway.base.type_pattern import is_reply
from gateway.broker import message
from gateway.http.deps import Caller
from gateway.http.parts import ApiParts, ApiPartsHere
from gateway.identity import Client, Role
from gateway.journal import Entry
from gateway.subscriptions.permissions import may_receive

router = APIRouter(prefix="/v1/events", tags=["events"])
JSON = "application/json"
_encode = msgspec.json.Encoder().encode


class EntryBody(BaseModel):
    """An event at its place in the journal. `state` is stored, then relayed."""

    shard: int
    sequence: int
    recordedtime: datetime
    digest: str
    client: str
    contract_version: int
    state: str
    event: dict[str, Any]


@router.get("/{shard}/{sequence}", response_model=EntryBody)
async def at_place(
    shard: Annotated[int, Path(ge=0, le=63)],
    sequence: Annotated[int, Path(ge=1, lt=1 << 63)],
    by: Caller,
    parts: ApiPartsHere,
) -> Response:
    """The entry at a place, and where it stands."""
    return await _visible(await parts.reader.entry_at(shard, sequence), by, parts)


@router.get("", response_model=EntryBody)
async def by_identity(
    source: Annotated[str, Query(min_length=1, max_length=512)],
    id: Annotated[str, Query(min_length=1, max_length=255)],
    by: Caller,
    parts: ApiPartsHere,
) -> Response:
    """The entry that holds an event of this source and id, and where it stands."""
    return await _visible(await parts.reader.find(identity_of(source, id)), by, parts)


async def _visible(entry: Entry | None, by: Client, parts: ApiParts) -> Response:
    """The entry, if the caller may know of it. Raises NotFound."""
    if entry is None or not may_see(entry, by, parts):
        raise errors.NotFound("there is no such event that you may see")
    relayed = await parts.reader.relay_cursor(entry.shard) >= entry.sequence
    head = {
        "shard": entry.shard,
        "sequence": entry.sequence,
        "recordedtime": rfc3339(entry.recorded),
        "digest": entry.digest.hex(),
        "client": entry.client,
        "contract_version": entry.contract_version,
        "state": "relayed" if relayed else "stored",
    }
    return Response(
        b'%b,"event":%b}' % (_encode(head)[:-1], _event(entry, by, parts)), media_type=JSON
    )


def _event(entry: Entry, by: Client, parts: ApiParts) -> bytes:
    """The event as its subscribers get it; without its data for who may only know that it was."""
    event = (
        entry.event
        if _may_read(entry, by, parts)
        else msgspec.structs.replace(entry.event, data=None)
    )
    return message.body(
        event, *entry.journal_attributes, parts.catalogue.classification(event.type)
    )


def may_see(entry: Entry, by: Client, parts: ApiParts) -> bool:
    """Whether the caller may know that the event exists."""
    return (by.has(Role.AUDITOR) and by.within_reach(_sender(entry, parts))) or _may_read(
        entry, by, parts
    )


def _may_read(entry: Entry, by: Client, parts: ApiParts) -> bool:
    """Who sent it, owns its type, or may receive it; of a reply, who sent it and who asked."""
    if by.organisation == _sender(entry, parts) and by.has(Role.PUBLISHER, Role.AUDITOR):
        return True
    if is_reply(entry.event.type):
        asker = entry.event.attributes.get(REQUESTED_BY)
        return by.organisation in (_sender(entry, parts), asker) and by.has(
            Role.PUBLISHER, Role.SUBSCRIBER, Role.AUDITOR
        )
    return by.has(Role.SUBSCRIBER) and may_receive(
        by.organisation, entry.event.type, parts.directory, parts.catalogue
    )


def _sender(entry: Entry, parts: ApiParts) -> str:
    sender = parts.directory.client(entry.client)
    return sender.organisation if sender else ""

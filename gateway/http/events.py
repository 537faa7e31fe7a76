"""`GET /v1/events`: look up an event, and where it stands."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Query
from pydantic import BaseModel
from starlette.responses import Response

from gateway.base import errors
from gateway.base.event import identity_of
from gateway.base.times import rfc3339
from gateway.broker import message
from gateway.http.context import ApiContext, AuthenticatedClient, Context
from gateway.identity import Client
from gateway.journal import Entry
from gateway.subscriptions.permissions import may_read_entry, may_see_entry

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
async def get_event(
    shard: Annotated[int, Path(ge=0, le=63)],
    sequence: Annotated[int, Path(ge=1, lt=1 << 63)],
    by: AuthenticatedClient,
    context: Context,
) -> Response:
    """The entry at a place, and where it stands."""
    return await _visible(await context.reader.entry_at(shard, sequence), by, context)


@router.get("", response_model=EntryBody)
async def find_event(
    source: Annotated[str, Query(min_length=1, max_length=512)],
    id: Annotated[str, Query(min_length=1, max_length=255)],
    by: AuthenticatedClient,
    context: Context,
) -> Response:
    """The entry that holds an event of this source and id, and where it stands."""
    return await _visible(await context.reader.find(identity_of(source, id)), by, context)


async def _visible(entry: Entry | None, by: Client, context: ApiContext) -> Response:
    """The entry, if the caller may know of it. Raises NotFound."""
    if entry is None or not may_see_entry(by, entry, context.directory, context.catalogue):
        raise errors.NotFound("there is no such event that you may see")
    relayed = await context.reader.relay_cursor(entry.shard) >= entry.sequence
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
        b'%b,"event":%b}' % (_encode(head)[:-1], _event(entry, by, context)), media_type=JSON
    )


def _event(entry: Entry, by: Client, context: ApiContext) -> bytes:
    """The event as its subscribers get it; without its data for who may only know that it was."""
    event = (
        entry.event
        if may_read_entry(by, entry, context.directory, context.catalogue)
        else msgspec.structs.replace(entry.event, data=None)
    )
    return message.body(
        event, *entry.journal_attributes, context.catalogue.classification(event.type)
    )

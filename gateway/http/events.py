"""`GET /v1/events`: look up an event, and the deliveries of it. `publish` stores events."""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from gateway import journal, subscriptions
from gateway.base.errors import Gone, NotFound, Refused
from gateway.base.event import identity_of
from gateway.base.times import rfc3339
from gateway.broker import message
from gateway.delivery import Stage
from gateway.http.cloud_event import DeliveredEvent
from gateway.http.context import ApiContext, AuthenticatedClient, Context
from gateway.http.models import JsonOf, ModelResponse, Resource
from gateway.http.problems import responses
from gateway.http.withheld import withheld
from gateway.identity import Client, policy
from gateway.subscriptions.permissions import may_read_entry, may_see_entry

router = APIRouter(prefix="/v1/events", tags=["events"])
Shard = Annotated[int, Path(ge=0, le=63)]
SequenceNumber = Annotated[int, Path(ge=1, lt=1 << 63)]


class Entry(BaseModel):
    """An event in the journal, with its position."""

    shard: int
    sequence: int
    recordedtime: datetime = Field(description="When the journal stored the event.")
    digest: str = Field(description="SHA-256 of the event, in hexadecimal.")
    client: str = Field(description="The id of the client that published it.")
    publisher: str = Field(description="The organisation that published it.")
    contract_version: int
    state: Literal["stored", "relayed"]
    event: Annotated[msgspec.Raw, JsonOf(DeliveredEvent)] = Field(
        description="The event. Without its data, and without what its sender wrote into its "
        "attributes, if you may only know that it exists."
    )


class DeliveryStatus(Resource):
    """The delivery of an event to one subscription."""

    organisation: str
    subscription: str
    delivery: subscriptions.Delivery
    stage: Stage = Field(
        description="Over AMQP what the broker can tell: queued (confirmed into the queue), "
        "drained (that queue has been empty since); acknowledged if its consumer reported it."
    )
    attempts: int
    at: datetime | None = Field(
        description="When the delivery reached this stage, as far as that is known. For open and "
        "in-hands: when it is due next."
    )


class Deliveries(BaseModel):
    """The deliveries of an event, one for each subscription that gets it."""

    items: list[DeliveryStatus]


@router.get("/{shard}/{sequence}", responses=responses(404, 410, 422))
async def get_event(
    shard: Shard, sequence: SequenceNumber, client: AuthenticatedClient, context: Context
) -> ModelResponse[Entry]:
    """The entry at a position."""
    entry = await _entry_at(shard, sequence, context)
    return await _answer(_visible(entry, client, context), client, context)


@router.get("", responses=responses(404, 410, 422))
async def find_event(
    source: Annotated[str, Query(min_length=1, max_length=512)],
    id: Annotated[str, Query(min_length=1, max_length=255)],
    client: AuthenticatedClient,
    context: Context,
) -> ModelResponse[Entry]:
    """The entry of the event with this source and id.

    That it was removed is told to the organisation of the source, and to the operator's auditors.
    """
    identity = identity_of(source, id)
    entry = await context.reader.find(identity)
    if entry is None and _may_know(client, source, context):
        stored = await context.reader.find_appended(identity)
        if stored is not None:
            raise _removed(f"It was recorded at {rfc3339(stored.recorded)}.")
    return await _answer(_visible(entry, client, context), client, context)


@router.get(
    "/{shard}/{sequence}/deliveries", tags=["deliveries"], responses=responses(404, 410, 422)
)
async def list_deliveries(
    shard: Shard, sequence: SequenceNumber, client: AuthenticatedClient, context: Context
) -> Deliveries:
    """The deliveries of an event. The publisher and auditors see all, others their own.

    Deliveries to subscriptions that have ended are not listed.
    """
    entry = _visible(await _entry_at(shard, sequence, context), client, context)
    visible = policy.visible_deliveries(client, entry.publisher)
    found = await context.ledger.statuses(entry, visible)
    return Deliveries(items=[DeliveryStatus.model_validate(each) for each in found])


async def _entry_at(shard: int, sequence: int, context: ApiContext) -> journal.Entry | None:
    """The entry at a position. Raises Gone where one was; positions are gapless, so that is known.

    That says nothing of what it was, so anybody may know.
    """
    entry = await context.reader.entry_at(shard, sequence)
    if entry is None and await context.reader.was_removed(shard, sequence):
        raise _removed(f"It was at {shard}/{sequence}.")
    return entry


def _removed(where: str) -> Gone:
    return Gone(f"The event was removed: its contract keeps events no longer. {where}")


def _may_know(client: Client, source: str, context: ApiContext) -> bool:
    if policy.audits_bus(client):
        return True
    try:
        context.directory.require_source(source, client.organisation)
    except Refused:
        return False
    return True


def _visible(entry: journal.Entry | None, client: Client, context: ApiContext) -> journal.Entry:
    """The entry, if the client may know of it. Raises NotFound."""
    if entry is None or not may_see_entry(client, entry, context.directory, context.catalogue):
        raise NotFound("No such event is visible to you.")
    return entry


async def _answer(
    entry: journal.Entry, client: Client, context: ApiContext
) -> ModelResponse[Entry]:
    relayed = await context.reader.relay_cursor(entry.shard) >= entry.sequence
    event = entry.event
    if not may_read_entry(client, entry, context.directory, context.catalogue):
        event = withheld(event)
    classification = context.catalogue.classification(event.type)
    return ModelResponse(
        Entry(
            shard=entry.shard,
            sequence=entry.sequence,
            recordedtime=entry.recorded,
            digest=entry.digest.hex(),
            client=entry.client,
            publisher=entry.publisher,
            contract_version=entry.contract_version,
            state="relayed" if relayed else "stored",
            event=msgspec.Raw(message.body(event, *entry.journal_attributes, classification)),
        )
    )

"""`/v1/dead-letters`: deliveries that failed for good. Redrives of many are in `redrives`."""

from dataclasses import asdict
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Path, Response

from gateway import publishing
from gateway.base import strict_json
from gateway.base.errors import Forbidden, Gone, NotFound
from gateway.base.masking import mask
from gateway.base.telemetry import log
from gateway.delivery import store
from gateway.delivery.store import DeadLetterQuery
from gateway.http.body import RawBody
from gateway.http.context import ApiContext, AuthenticatedClient, Context, require_role
from gateway.http.dead_letter_models import (
    NO_DATA,
    WITHHELD_DATA,
    Correction,
    CorrectionReceipt,
    DeadLetter,
    DeadLetterChange,
    DeadLetterFilter,
    Discard,
    FailedAttempt,
    InspectedDeadLetter,
    masked_attributes,
    masked_data,
    readable,
)
from gateway.http.models import ModelResponse
from gateway.http.paging import Page, Paging
from gateway.http.problems import responses
from gateway.http.withheld import withheld, withheld_detail
from gateway.identity import Client, Quota, policy
from gateway.publishing.accounting import ACCEPTED

router = APIRouter(prefix="/v1/dead-letters", tags=["dead letters"])
Editor = Annotated[Client, Depends(require_role(*policy.DEAD_LETTER_EDITORS))]
Number = Annotated[int, Path(ge=1, lt=1 << 63)]


def query(
    client: AuthenticatedClient, wanted: Annotated[DeadLetterFilter, Depends()]
) -> DeadLetterQuery:
    """The dependency that reads which dead letters are asked for."""
    asked = asdict(wanted)
    return DeadLetterQuery(
        *policy.visible_dead_letters(client), receiver=asked.pop("organisation"), **asked
    )


@router.get("", responses=responses(422))
async def list_dead_letters(
    query: Annotated[DeadLetterQuery, Depends(query)],
    client: AuthenticatedClient,
    context: Context,
    page: Paging,
) -> Page[DeadLetter]:
    """Dead letters of your subscriptions and of the events you published, the oldest first.

    The operator's auditors and administrators see all, without what may be personal data.
    """
    found = await context.dead_letters.page(query, after=page.number(), limit=page.limit + 1)
    items, following = page.cut(found, lambda each: str(each.number))
    return Page(items=[DeadLetter.of(each, client) for each in items], next=following)


@router.get("/{number}", responses=responses(404, 422))
async def get_dead_letter(
    number: Number, client: AuthenticatedClient, context: Context
) -> ModelResponse[InspectedDeadLetter]:
    """One dead letter with its attempts, and the event with personal data masked.

    Who may not read the event itself sees neither its data nor what was written into
    it. The first look at it is recorded, and ends its alert.
    """
    found = await context.dead_letters.mark_seen(
        await _visible(number, client, context), by=client.id
    )
    history = await context.dead_letters.attempts(found)
    entry = await context.reader.entry_at(*found.position)
    may_read = readable(found, client)
    if not may_read:
        history = [
            each._replace(detail=withheld_detail(each.failure, each.detail)) for each in history
        ]
        entry = entry and msgspec.structs.replace(entry, event=withheld(entry.event))
    data = NO_DATA if entry is None else WITHHELD_DATA
    return ModelResponse(
        InspectedDeadLetter.of(
            found,
            client,
            history=[FailedAttempt.model_validate(each) for each in history],
            event=masked_attributes(entry) if entry else None,
            data=await masked_data(entry, context, client) if entry and may_read else data,
        )
    )


@router.post("/{number}/redrive", responses=responses(403, 404, 409, 410, 422))
async def redrive_dead_letter(number: Number, client: Editor, context: Context) -> DeadLetterChange:
    """Deliver it again to its own subscription. Repeating the call does no harm."""
    found = await _editable(number, client, context)
    dead = found.state == "dead"
    sent = dead and await context.redriver.redrive([found], by=client.id)
    if dead and not sent and await context.reader.entry_at(*found.position) is None:
        raise Gone("The event was removed, its time is over. Discard the dead letter.")
    log().info("dead_letter.redriven", number=number, by=client.id, sent=bool(sent))
    return DeadLetterChange(changed=bool(sent))


@router.post("/{number}/discard", responses=responses(403, 404, 409, body=True))
async def discard_dead_letter(
    number: Number, body: Discard, client: Editor, context: Context
) -> DeadLetterChange:
    """End it for good. The reason is recorded."""
    found = await _editable(number, client, context)
    reason = mask(body.reason)
    changed = await context.dead_letters.discard([found.number], by=client.id, reason=reason)
    log().info("dead_letter.discarded", number=number, by=client.id, changed=bool(changed))
    return DeadLetterChange(changed=bool(changed))


async def corrector(client: AuthenticatedClient) -> Client:
    """A dependency: the client, which publishes. Raises Forbidden."""
    policy.require_corrector(client)
    return client


@router.post(
    "/{number}/resend",
    status_code=201,
    responses={
        **responses(403, 404, 409, 410, body=True),
        200: {"model": CorrectionReceipt, "description": "An earlier call had stored it."},
    },
)
async def resend_dead_letter(
    number: Number,
    body: Correction,
    client: Annotated[Client, Depends(corrector)],
    context: Context,
    raw: RawBody,
    response: Response,
) -> CorrectionReceipt:
    """Publish a corrected event for every subscription to its type. The dead letter is resent.

    The event gets an id of its own, `causationid` with the old id, and `corrects` with the old
    `sequence`. The same correction again is stored once (200); another correction is refused.
    """
    found = await _visible(number, client, context)
    data = strict_json.members(raw, nested="data").get("data")
    gate = context.limiter.gate(client)
    gate.publish(len(raw))
    gate.spend(Quota.EVENTS)
    correction = publishing.Correction(None if data is None else bytes(data), body.attributes)
    resent = await context.resender.resend(found, correction, client)
    appended = resent.appended
    ACCEPTED.inc()
    log().info("dead_letter.resent", number=number, by=client.id, duplicate=appended.duplicate)
    response.status_code = 200 if appended.duplicate else 201
    response.headers["location"] = f"/v1/events/{appended.shard}/{appended.sequence}"
    return CorrectionReceipt(
        number=number,
        id=resent.event.id,
        source=resent.event.source,
        type=resent.event.type,
        shard=appended.shard,
        sequence=appended.sequence,
        recordedtime=appended.recorded,
        digest=appended.digest.hex(),
        duplicate=appended.duplicate,
    )


async def _visible(number: int, client: Client, context: ApiContext) -> store.DeadLetter:
    """A dead letter. Raises NotFound for one that the client may not see."""
    found = await context.dead_letters.find(number)
    if found is None or not policy.may_see_dead_letter(
        client, subscriber=found.organisation, publisher=found.publisher
    ):
        raise NotFound("No such dead letter is visible to you.")
    return found


async def _editable(number: int, client: Client, context: ApiContext) -> store.DeadLetter:
    """A dead letter that the client may settle. Raises NotFound, Forbidden."""
    found = await _visible(number, client, context)
    if not policy.may_settle_dead_letter(client, found.organisation):
        raise Forbidden(
            f"Only {found.organisation} may redrive or discard it. A publisher of {found.type} may "
            "correct it: use `resend`."
        )
    return found

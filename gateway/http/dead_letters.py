"""`/v1/dead-letters`: what failed for good. Redrives of many stand in `redrives`."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import AwareDatetime, BaseModel, Field

from gateway.base import strict_json
from gateway.base.errors import Forbidden, NotFound
from gateway.base.event import attribute_text
from gateway.base.masking import mask
from gateway.base.telemetry import log
from gateway.base.type_pattern import is_reply, request_type
from gateway.contracts import Failure, mask_personal_data
from gateway.contracts.compilation import BUNDLE_DEPTH
from gateway.delivery.store import DeadLetter, DeadLetterQuery
from gateway.http.context import ApiContext, AuthenticatedClient, Context, require_role
from gateway.http.models import RequestBody
from gateway.http.paging import Page, Paging
from gateway.identity import Client, policy
from gateway.journal import Entry, Position
from gateway.request_reply import REQUEST_ID

router = APIRouter(prefix="/v1", tags=["dead letters"])
Worker = Annotated[Client, Depends(require_role(*policy.DEAD_LETTER_EDITORS))]
Number = Annotated[int, Path(ge=1, lt=1 << 63)]
Reason = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")]
Name = Annotated[str, Field(max_length=255, pattern=r"^[^\x00]*$")]
Trace = Annotated[str, Field(pattern="^[0-9a-f]{32}$", description="a trace id (W3C)")]
DeadLetterState = Literal["dead", "redriven", "resent", "discarded"]
_UNMASKED = {"traceparent", "time"}  # what intake has found to be nothing else
_encode = msgspec.json.Encoder(decimal_format="number").encode
MASKED_LIMIT = 64 << 10  # bytes of data that an inspection shows


class PlaceBody(BaseModel):
    """A place in the journal."""

    shard: int
    sequence: int


class LetterBody(BaseModel):
    """A delivery that failed for good. `state` is dead, then redriven, resent or discarded."""

    number: int
    organisation: str
    subscription: str
    shard: int
    sequence: int
    recordedtime: datetime
    type: str
    died: datetime
    failure: Failure
    detail: str
    attempts: int
    state: DeadLetterState
    changed: datetime
    changed_by: str | None
    note: str | None
    publisher: str | None = Field(description="the organisation that sent the event")
    source: str | None
    event_id: str | None
    trace: str | None = Field(description="the trace id in the event's traceparent")
    resent: PlaceBody | None = Field(description="where the corrected event stands")
    seen: datetime | None = Field(description="when it was inspected first")
    seen_by: str | None
    reported: PlaceBody | None = Field(description="where the report to the type's owner stands")


class AttemptBody(BaseModel):
    """One attempt that failed."""

    number: int
    at: datetime
    failure: Failure
    detail: str


class InspectedBody(LetterBody):
    """A dead letter with all that was tried, and the event with personal data masked."""

    history: list[AttemptBody]
    event: dict[str, Any] | None = Field(description="its attributes; null where it is gone")
    data: Any = Field(description="masked where the contract says x-pii; null if not JSON")


class Changed(BaseModel):
    """Whether it was still dead."""

    changed: bool


class Discard(RequestBody):
    """Why it is not to be sent again."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Search:
    """What a list may be narrowed to."""

    organisation: Annotated[Name | None, Query(description="whose subscription")] = None
    subscription: Annotated[Name | None, Query()] = None
    type: Annotated[Name | None, Query()] = None
    failure: Failure | None = None
    state: DeadLetterState | None = None
    died_from: AwareDatetime | None = None
    died_before: AwareDatetime | None = None
    event: Annotated[Name | None, Query(description="an event's id")] = None
    source: Annotated[Name | None, Query()] = None
    trace: Annotated[Trace | None, Query()] = None
    unseen: Annotated[bool, Query(description="dead, and nobody has inspected it")] = False


def wanted(by: AuthenticatedClient, search: Annotated[Search, Depends()]) -> DeadLetterQuery:
    """The dependency that reads which dead letters are asked for."""
    asked = asdict(search)
    return DeadLetterQuery(
        *policy.visible_dead_letters(by), receiver=asked.pop("organisation"), **asked
    )


@router.get("/dead-letters")
async def list_dead_letters(
    wanted: Annotated[DeadLetterQuery, Depends(wanted)], context: Context, page: Paging
) -> Page[LetterBody]:
    """Dead letters, the oldest first: of one's subscriptions, and of the events one published.

    The operator's auditors and administrators see everybody's.
    """
    found = await context.dead_letters.page(wanted, after=page.number(), limit=page.limit + 1)
    items, following = page.cut(found, lambda letter: str(letter.number))
    return Page(items=[_body(letter) for letter in items], next=following)


@router.get("/dead-letters/{number}", response_model=InspectedBody)
async def get_dead_letter(number: Number, by: AuthenticatedClient, context: Context) -> Response:
    """One dead letter: each attempt, and the event with personal data masked.

    Who looks at it first is kept, and with that it waits for nobody any more.
    """
    letter = await context.dead_letters.mark_seen(await letter_of(number, by, context), by=by.id)
    history = await context.dead_letters.attempts(letter)
    entry = await context.reader.entry_at(*letter.position)
    shown = InspectedBody(
        **_body(letter).model_dump(),
        history=[AttemptBody(**attempt._asdict()) for attempt in history],
        event=_attributes(entry) if entry else None,
        data=None,
    )
    head = shown.model_dump_json(exclude={"data"}).encode()
    data = _encode(_masked(entry, context) if entry else None)  # with every number as it is
    return Response(b'%b,"data":%b}' % (head[:-1], data), media_type="application/json")


@router.post("/dead-letters/{number}/redrive")
async def redrive_dead_letter(number: Number, by: Worker, context: Context) -> Changed:
    """Send it again to its own subscription. Doing so twice does no harm."""
    letter = await _own(number, by, context)
    sent = letter.state == "dead" and await context.redriver.redrive([letter], by=by.id)
    log().info("dead_letter.redriven", number=number, by=by.id, sent=bool(sent))
    return Changed(changed=bool(sent))


@router.post("/dead-letters/{number}/discard")
async def discard_dead_letter(
    number: Number, body: Discard, by: Worker, context: Context
) -> Changed:
    """Never send it again; who did it and why is kept."""
    letter = await _own(number, by, context)
    reason = mask(body.reason)
    changed = await context.dead_letters.discard([letter.number], by=by.id, reason=reason)
    log().info("dead_letter.discarded", number=number, by=by.id, changed=bool(changed))
    return Changed(changed=bool(changed))


async def letter_of(number: int, by: Client, context: ApiContext) -> DeadLetter:
    """A dead letter. Raises NotFound for one that the caller may not see."""
    letter = await context.dead_letters.find(number)
    if letter is None or not policy.may_see_dead_letter(
        by, subscriber=letter.organisation, publisher=letter.publisher
    ):
        raise NotFound("there is no such dead letter that you may see")
    return letter


async def _own(number: int, by: Client, context: ApiContext) -> DeadLetter:
    """One that the caller may decide about. Raises NotFound, Forbidden."""
    letter = await letter_of(number, by, context)
    if not policy.may_settle_dead_letter(by, letter.organisation):
        raise Forbidden(
            f"only {letter.organisation} may send it again or discard it; who may publish "
            f"{letter.type} may correct it"
        )
    return letter


def _body(letter: DeadLetter) -> LetterBody:
    facts = asdict(letter)
    del facts["key"]
    shard, sequence = facts.pop("spot")
    return LetterBody(
        **facts | {"resent": _place(letter.resent), "reported": _place(letter.reported)},
        shard=shard,
        sequence=sequence,
        recordedtime=facts.pop("recorded"),
        event_id=facts.pop("event"),
    )


def _place(position: Position | None) -> PlaceBody | None:
    return None if position is None else PlaceBody(**position._asdict())


def _attributes(entry: Entry) -> dict[str, Any]:
    event = entry.event
    plain = _UNMASKED | ({REQUEST_ID} if is_reply(event.type) else set())  # there it is a hash
    texts = {name: attribute_text(value) for name, value in event.attributes.items()}
    found = {name: text if name in plain else mask(text) for name, text in texts.items()}
    found |= {"specversion": "1.0", "id": event.id, "source": event.source, "type": event.type}
    return found | ({"subject": mask(event.subject)} if event.subject is not None else {})


def _masked(entry: Entry, context: ApiContext) -> Any:
    type_, data = entry.event.type, entry.event.data
    version = context.catalogue.version(request_type(type_), entry.contract_version)
    if version is None or data is None or entry.event.binary or len(data) > MASKED_LIMIT:
        return None
    text = (version.reply or b"{}") if is_reply(type_) else version.text
    return mask_personal_data(strict_json.parse(text, depth=BUNDLE_DEPTH), strict_json.parse(data))

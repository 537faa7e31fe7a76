"""`/v1/dead-letters` and `/v1/redrives`: what failed for good, and sending it again."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query
from pydantic import AwareDatetime, BaseModel, Field

from gateway import jsontext
from gateway.contracts import without_personal_data
from gateway.deliveries import DeadLetter, Failure, Redrive, RedriveState, Wanted
from gateway.errors import Conflict, NotFound
from gateway.event import attribute_text
from gateway.http.deps import require_role
from gateway.http.fields import Body
from gateway.http.paging import Listing, PageHere, number_of
from gateway.http.parts import ApiParts, ApiPartsHere
from gateway.identity import Client, Role
from gateway.journal import Entry
from gateway.masking import mask
from gateway.telemetry import log
from gateway.typepattern import is_reply, request_type

router = APIRouter(prefix="/v1", tags=["dead letters"])
Viewer = Annotated[Client, Depends(require_role(Role.SUBSCRIBER, Role.AUDITOR, Role.ADMIN))]
Worker = Annotated[Client, Depends(require_role(Role.SUBSCRIBER, Role.ADMIN))]
Number = Annotated[int, Path(ge=1, lt=1 << 63)]
Reason = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00-\x1f\x7f]*$")]
Name = Annotated[str, Field(max_length=255, pattern=r"^[^\x00]*$")]
MASKED_LIMIT = 64 << 10  # bytes of data that an inspection shows


class LetterBody(BaseModel):
    """A delivery that failed for good. `state` is dead, then redriven or discarded."""

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
    state: str
    changed: datetime
    changed_by: str | None
    note: str | None


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


class Discard(Body):
    """Why it is not to be sent again."""

    reason: Reason


class NewRedrive(Body):
    """Which dead letters to send again; what is not said is any. `rate` is events a second."""

    subscription: Name | None = None
    type: Name | None = None
    failure: Failure | None = None
    died_from: AwareDatetime | None = None
    died_before: AwareDatetime | None = None
    rate: int = Field(50, ge=1, le=1000)


class RedriveBody(BaseModel):
    """A redrive of many and how far it has come; what failed stays dead."""

    id: str
    state: RedriveState
    rate: int
    total: int
    sent: int
    failed: int
    problem: str | None
    created: datetime
    created_by: str


def wanted(
    by: Viewer,
    subscription: Annotated[str | None, Query(max_length=63)] = None,
    type: Annotated[str | None, Query(max_length=255)] = None,
    failure: Failure | None = None,
    state: Literal["dead", "redriven", "discarded"] | None = None,
    died_from: AwareDatetime | None = None,
    died_before: AwareDatetime | None = None,
) -> Wanted:
    """The dependency that reads which dead letters are asked for."""
    return Wanted(_organisation(by), subscription, type, failure, state, died_from, died_before)


@router.get("/dead-letters")
async def list_all(
    wanted: Annotated[Wanted, Depends(wanted)], parts: ApiPartsHere, page: PageHere
) -> Listing[LetterBody]:
    """Dead letters, the oldest first: one's own organisation's, for the operator everybody's."""
    found = await parts.letters.page(wanted, after=number_of(page), limit=page.limit + 1)
    items, following = page.cut(found, lambda letter: str(letter.number))
    return Listing(items=[_body(letter) for letter in items], next=following)


@router.get("/dead-letters/{number}")
async def inspect(number: Number, by: Viewer, parts: ApiPartsHere) -> InspectedBody:
    """One dead letter: each attempt, and the event with personal data masked."""
    letter = await _letter(number, by, parts)
    history = await parts.letters.attempts(letter)
    entry = await parts.reader.entry(*letter.spot)
    return InspectedBody(
        **_body(letter).model_dump(),
        history=[AttemptBody(**attempt._asdict()) for attempt in history],
        event=_attributes(entry) if entry else None,
        data=_masked(entry, parts) if entry else None,
    )


@router.post("/dead-letters/{number}/redrive")
async def redrive(number: Number, by: Worker, parts: ApiPartsHere) -> Changed:
    """Send it again to its own subscription. Doing so twice does no harm."""
    letter = await _letter(number, by, parts)
    sent = letter.state == "dead" and await parts.redriving.redrive([letter], by=by.id)
    log().info("dead_letter.redriven", number=number, by=by.id, sent=bool(sent))
    return Changed(changed=bool(sent))


@router.post("/dead-letters/{number}/discard")
async def discard(number: Number, body: Discard, by: Worker, parts: ApiPartsHere) -> Changed:
    """Never send it again; who did it and why is kept."""
    letter = await _letter(number, by, parts)
    changed = await parts.letters.discard([letter.number], by=by.id, reason=body.reason)
    log().info("dead_letter.discarded", number=number, by=by.id, changed=bool(changed))
    return Changed(changed=bool(changed))


@router.post("/redrives", status_code=202)
async def start(body: NewRedrive, by: Worker, parts: ApiPartsHere) -> RedriveBody:
    """Send many again, at a rate; what dies after this moment is left out."""
    wanted = Wanted(
        _organisation(by),
        body.subscription,
        body.type,
        body.failure,
        None,
        body.died_from,
        body.died_before,
    )
    made = await parts.redrives.start(wanted, rate=body.rate, by=by.id)
    log().info("redrive.started", redrive=made.id, by=by.id, total=made.total)
    return _redrive(made)


@router.get("/redrives")
async def list_redrives(by: Viewer, parts: ApiPartsHere, page: PageHere) -> Listing[RedriveBody]:
    """The redrives of many."""
    found = await parts.redrives.page(_organisation(by), after=page.after, limit=page.limit + 1)
    items, following = page.cut(found, lambda redrive: redrive.id)
    return Listing(items=[_redrive(each) for each in items], next=following)


@router.get("/redrives/{id}")
async def show(id: str, by: Viewer, parts: ApiPartsHere) -> RedriveBody:
    """How far a redrive has come."""
    return _redrive(await _found(id, by, parts))


@router.post("/redrives/{id}/cancel")
async def cancel(id: str, by: Worker, parts: ApiPartsHere) -> RedriveBody:
    """Send no more. Raises 409 where it has finished."""
    found = await _found(id, by, parts)
    if found.state is RedriveState.FINISHED:
        raise Conflict("it has finished already")
    await parts.redrives.cancel(id)
    log().info("redrive.cancelled", redrive=id, by=by.id)
    return _redrive(await _found(id, by, parts))


async def _letter(number: int, by: Client, parts: ApiParts) -> DeadLetter:
    letter = await parts.letters.find(number)
    if letter is None or _organisation(by) not in (None, letter.organisation):
        raise NotFound("there is no such dead letter that you may see")
    return letter


async def _found(id: str, by: Client, parts: ApiParts) -> Redrive:
    found = await parts.redrives.find(id) if id.isascii() and len(id) < 64 else None
    if found is None or _organisation(by) not in (None, found.organisation):
        raise NotFound("there is no such redrive that you may see")
    return found


def _organisation(by: Client) -> str | None:
    """Whose dead letters the caller may see; None is everybody's."""
    everything = by.operator and by.has(Role.AUDITOR, Role.ADMIN)
    return None if everything else by.organisation


def _body(letter: DeadLetter) -> LetterBody:
    facts = asdict(letter)
    shard, sequence = facts.pop("spot")
    recorded = facts.pop("recorded")
    return LetterBody(**facts, shard=shard, sequence=sequence, recordedtime=recorded)


def _redrive(redrive: Redrive) -> RedriveBody:
    return RedriveBody(**{name: getattr(redrive, name) for name in RedriveBody.model_fields})


def _attributes(entry: Entry) -> dict[str, Any]:
    event = entry.event
    found = {name: mask(attribute_text(value)) for name, value in event.attributes.items()}
    found |= {"specversion": "1.0", "id": event.id, "source": event.source, "type": event.type}
    return found | ({"subject": mask(event.subject)} if event.subject is not None else {})


def _masked(entry: Entry, parts: ApiParts) -> Any:
    type_, data = entry.event.type, entry.event.data
    version = parts.catalogue.version(request_type(type_), entry.contract_version)
    if version is None or data is None or entry.event.binary or len(data) > MASKED_LIMIT:
        return None
    schema = (version.reply or b"{}") if is_reply(type_) else version.text
    return without_personal_data(jsontext.parse(schema), jsontext.parse(data))

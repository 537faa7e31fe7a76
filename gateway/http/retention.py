"""`/v1/retention`: what was removed because its time was over, what is held, what is there."""

from datetime import date, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from gateway.http.context import Context, require_role
from gateway.http.models import Resource, Text
from gateway.http.paging import Page, Paging
from gateway.http.problems import responses
from gateway.identity import Client, policy

router = APIRouter(prefix="/v1/retention", tags=["retention"])
RetentionReader = Annotated[Client, Depends(require_role(*policy.RETENTION_READERS))]
_NEWEST = (1 << 63) - 1
HELD_AT_MOST = 1000


class Removal(Resource):
    """What went at once. The report holds no data, ids or subjects."""

    number: int
    removed: datetime
    kind: str = Field(
        description="`events`, of one type, shard and month, or `refusals`, `refused_replies`, "
        "`dead_letters`, `redrives`, `identities`. The others are shown to the operator alone."
    )
    type: str | None
    shard: int | None
    month: date | None = Field(description="The first day of the month of the events.")
    count: int
    bytes: int | None
    lowest: int | None = Field(description="The sequence of the first event.")
    highest: int | None = Field(description="The sequence of the last event.")
    first_recorded: datetime | None
    last_recorded: datetime | None


class Hold(Resource):
    """Events whose time is over and that somebody still has to get. They go after that."""

    month: date
    type: str
    organisation: str = Field(description="Empty for the relay.")
    subscription: str
    reason: Literal["relay", "unread", "open", "dead-letter"]
    entries: int = Field(description="How many events of the type and month are held.")
    since: datetime


class Holds(BaseModel):
    """What is held, the oldest month first; the first thousand."""

    items: list[Hold]


class MonthOfType(Resource):
    """How much of a type a month has. Counted once, when the month has ended."""

    month: date
    type: str
    entries: int
    bytes: int = Field(description="An estimate, without indexes.")


@router.get("/removals", responses=responses(403, 422))
async def list_removals(
    client: RetentionReader,
    context: Context,
    page: Paging,
    type: Annotated[Text | None, Query()] = None,
) -> Page[Removal]:
    """What retention removed, the newest first: of your types. The operator sees all."""
    found = await context.retention.removals(
        policy.visible_organisation(client),
        type=type,
        before=page.number(first=_NEWEST),
        limit=page.limit + 1,
    )
    items, following = page.cut(found, lambda each: str(each.number))
    return Page(items=[Removal.model_validate(each) for each in items], next=following)


@router.get("/holds", responses=responses(403))
async def list_holds(client: RetentionReader, context: Context) -> Holds:
    """What is held: of your types, and for your subscriptions. The operator sees all."""
    found = await context.retention.holds(policy.visible_organisation(client), limit=HELD_AT_MOST)
    return Holds(items=[Hold.model_validate(each) for each in found])


@router.get("/months", responses=responses(403, 422))
async def list_months(client: RetentionReader, context: Context, page: Paging) -> Page[MonthOfType]:
    """How much the months that have ended hold, by month and type: of your types."""
    found = await context.retention.months(
        policy.visible_organisation(client), after=page.pair() or ("", ""), limit=page.limit + 1
    )
    items, following = page.cut(found, lambda each: f"{each.month:%Y-%m}/{each.type}")
    return Page(items=[MonthOfType.model_validate(each) for each in items], next=following)

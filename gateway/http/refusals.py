"""`/v1/refusals`: what was not accepted, and why."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from gateway.base.errors import Invalid, Violation
from gateway.http.context import Context, require_role
from gateway.http.paging import Page, Paging
from gateway.identity import Client, policy
from gateway.journal import RecordedRefusal

router = APIRouter(prefix="/v1/refusals", tags=["refusals"])
Viewer = Annotated[Client, Depends(require_role(*policy.REFUSAL_READERS))]
_NEWEST = (1 << 63) - 1


class RefusalBody(BaseModel):
    """A refused event. `digest` is the SHA-256 of what was sent; the data are not kept."""

    number: int
    recordedtime: datetime
    organisation: str
    client: str
    type: str | None
    source: str | None
    id: str | None
    reason: str = Field(description="the last part of the problem's type")
    detail: str
    violations: list[Violation]
    digest: str


@router.get("")
async def list_refusals(
    by: Viewer,
    context: Context,
    page: Paging,
    type: Annotated[str | None, Query(max_length=255)] = None,
    reason: Annotated[str | None, Query(max_length=64)] = None,
) -> Page[RefusalBody]:
    """Refusals, the newest first: one's own organisation's, for the operator everybody's."""
    found = await context.refusals.page(
        policy.visible_organisation(by),
        before=_number(page.after),
        type=type,
        reason=reason,
        limit=page.limit + 1,
    )
    items, following = page.cut(found, lambda refusal: str(refusal.number))
    return Page(items=[_body(item) for item in items], next=following)


def _number(after: str | None) -> int:
    if after is None:
        return _NEWEST
    if not after.isdecimal() or int(after) > _NEWEST:
        raise Invalid("the cursor is none that this list gave: start without one", pointer="cursor")
    return int(after)


def _body(recorded: RecordedRefusal) -> RefusalBody:
    refusal = recorded.refusal
    return RefusalBody(
        number=recorded.number,
        recordedtime=recorded.recorded,
        organisation=refusal.organisation,
        client=refusal.client,
        type=refusal.type,
        source=refusal.source,
        id=refusal.id,
        reason=refusal.reason,
        detail=refusal.detail,
        violations=list(refusal.violations),
        digest=refusal.digest.hex(),
    )

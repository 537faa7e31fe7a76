"""`/v1/refusals`: the events that were not accepted, and why."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from gateway.base.errors import Violation
from gateway.http.context import Context, require_role
from gateway.http.models import Text
from gateway.http.paging import Page, Paging
from gateway.http.problems import responses
from gateway.identity import Client, policy
from gateway.journal import RecordedRefusal

router = APIRouter(prefix="/v1/refusals", tags=["refusals"])
RefusalReader = Annotated[Client, Depends(require_role(*policy.REFUSAL_READERS))]
_NEWEST = (1 << 63) - 1


class Refusal(BaseModel):
    """A refused event, kept without its data."""

    number: int
    recordedtime: datetime = Field(description="When it was refused.")
    organisation: str
    client: str
    type: str | None
    source: str | None
    id: str | None
    reason: str = Field(description="The last part of the `type` of the problem.")
    detail: str
    violations: list[Violation]
    digest: str = Field(description="SHA-256 of what was sent, in hexadecimal.")

    @classmethod
    def of(cls, recorded: RecordedRefusal) -> "Refusal":
        """The model of a refusal."""
        refusal = recorded.refusal
        return cls(
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


@router.get("", responses=responses(403, 422))
async def list_refusals(
    client: RefusalReader,
    context: Context,
    page: Paging,
    type: Annotated[Text | None, Query()] = None,
    reason: Annotated[Text | None, Query()] = None,
) -> Page[Refusal]:
    """The refusals of your organisation, the newest first. The operator sees all."""
    found = await context.refusals.page(
        policy.visible_organisation(client),
        before=page.number(first=_NEWEST),
        type=type,
        reason=reason,
        limit=page.limit + 1,
    )
    items, following = page.cut(found, lambda each: str(each.number))
    return Page(items=[Refusal.of(each) for each in items], next=following)

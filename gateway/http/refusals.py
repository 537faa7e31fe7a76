"""`/v1/refusals`: the events that were not accepted, and why."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from gateway.base.errors import Violation
from gateway.base.type_pattern import request_type
from gateway.contracts import Catalogue
from gateway.http.context import Context, require_role
from gateway.http.models import Text
from gateway.http.paging import Page, Paging
from gateway.http.problems import TITLES, responses
from gateway.http.withheld import WITHHELD
from gateway.identity import Client, policy
from gateway.journal import RecordedRefusal
from gateway.journal import Refusal as StoredRefusal

router = APIRouter(prefix="/v1/refusals", tags=["refusals"])
RefusalReader = Annotated[Client, Depends(require_role(*policy.REFUSAL_READERS))]
_NEWEST = (1 << 63) - 1
_FOR_READERS = (
    "For publishers and auditors of the organisation. Others see `…`: it may be personal data."
)


class Refusal(BaseModel):
    """A refused event, kept without its data."""

    number: int
    recordedtime: datetime = Field(description="When it was refused.")
    organisation: str
    client: str
    type: str | None
    source: str | None = Field(description=_FOR_READERS)
    id: str | None = Field(description=_FOR_READERS)
    reason: str = Field(description="The last part of the `type` of the problem.")
    detail: str = Field(description="What is wrong, for those who may read the event.")
    violations: list[Violation] = Field(description="Without pointers and messages for the others.")
    digest: str = Field(description="SHA-256 of what was sent, in hexadecimal.")

    @classmethod
    def of(cls, recorded: RecordedRefusal, by: Client, catalogue: Catalogue) -> "Refusal":
        """A refusal as a client may see it."""
        refusal = recorded.refusal
        if not policy.may_read_events_of(by, refusal.organisation):
            refusal = _without_words(refusal, catalogue)
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
    """The refusals of your organisation, the newest first. The operator sees all.

    What the sender wrote is for its own organisation's publishers and auditors alone.
    """
    found = await context.refusals.page(
        policy.visible_organisation(client),
        before=page.number(first=_NEWEST),
        type=type,
        reason=reason,
        limit=page.limit + 1,
    )
    items, following = page.cut(found, lambda each: str(each.number))
    return Page(
        items=[Refusal.of(each, client, context.catalogue) for each in items], next=following
    )


def _without_words(refusal: StoredRefusal, catalogue: Catalogue) -> StoredRefusal:
    """A refusal without what its sender wrote: a type that has a contract is no sender's word."""
    known = refusal.type is None or catalogue.contract(request_type(refusal.type)) is not None
    return replace(
        refusal,
        type=refusal.type if known else WITHHELD,
        source=refusal.source and WITHHELD,
        id=refusal.id and WITHHELD,
        detail=TITLES.get(refusal.reason, WITHHELD),
        violations=tuple(
            Violation(WITHHELD, each.keyword, WITHHELD) for each in refusal.violations
        ),
    )

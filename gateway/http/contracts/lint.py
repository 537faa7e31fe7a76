"""`POST /v1/contracts/lint`: advice about a contract before it is registered."""

import asyncio
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from gateway import contracts
from gateway.base import strict_json
from gateway.contracts import Classification, Pattern, defaults
from gateway.contracts.lint import lint, national
from gateway.http.body import RawBody
from gateway.http.context import CHECKED, AuthenticatedClient, Context
from gateway.http.contracts.bodies import SCHEMA, TYPE
from gateway.http.contracts.exact import ExactRoute
from gateway.http.contracts.models import LintFinding
from gateway.http.models import RequestBody, Text, example
from gateway.http.problems import responses

router = APIRouter(
    prefix="/v1/contracts", tags=["contracts"], route_class=ExactRoute, strict_content_type=False
)
DEPTH = 36  # of a schema, and the members around it


class OrderingDraft(RequestBody):
    """The ordering of a draft; missing members are findings."""

    key: str = ""
    description: str = ""


class ContractDraft(RequestBody):
    """A contract that is being written."""

    type: str
    owner: Text
    title: str = ""
    description: str = ""
    pattern: Pattern
    classification: Classification
    ordering: OrderingDraft = Field(default_factory=OrderingDraft)

    def value(self) -> contracts.Contract:
        """The contract, valid or not."""
        facts = self.model_dump(exclude={"ordering"})
        ordering = contracts.Ordering(self.ordering.key, self.ordering.description)
        return contracts.Contract(**facts, ordering=ordering)


class LintRequest(RequestBody):
    """A contract and its schemas to check."""

    model_config = example(
        contract={
            "type": TYPE,
            "owner": "kemenkes",
            "pattern": "publish-subscribe",
            "classification": "confidential",
        },
        schema=SCHEMA,
    )

    contract: ContractDraft
    json_schema: Any = Field(alias="schema", description="The JSON Schema of the data.")
    reply: Any = Field(None, description="The JSON Schema of the reply, for request-reply.")
    levels: dict[str, str] = Field(
        default_factory=dict, description="Rules whose level is raised further than the owner does."
    )


class LintReport(BaseModel):
    """All findings, most severe first."""

    findings: list[LintFinding]


@router.post("/lint", dependencies=[CHECKED], responses=responses(body=True))
async def lint_contract(
    body: LintRequest, client: AuthenticatedClient, context: Context, raw: RawBody
) -> LintReport:
    """Check how a contract is written, by the national profile and its owner's levels."""
    strict_json.require_strict(raw, depth=DEPTH)
    contract = body.contract.value()
    async with context.database.session() as session:
        raised = (await defaults.defaults_of(session, contract.owner)).lint
    profile = national().raised(raised).raised(body.levels)
    found = await asyncio.to_thread(lint, contract, body.json_schema, body.reply, profile=profile)
    return LintReport(findings=[LintFinding.of(each) for each in found])

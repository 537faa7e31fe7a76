"""`POST /v1/contracts/lint`: advice about a contract before it is registered. It stores nothing."""

import asyncio
from typing import Any

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, ValidationError

from gateway.base import strict_json
from gateway.contracts import Classification, Contract, Ordering, Pattern, defaults
from gateway.contracts.lint import lint, national
from gateway.http import contracts_answers as answers
from gateway.http.context import AuthenticatedClient, Context
from gateway.http.contracts_bodies import FindingBody
from gateway.http.models import RequestBody

router = APIRouter(prefix="/v1/contracts", tags=["contracts"], responses=answers.PROBLEMS)
DEPTH = 36  # of a schema, and the members around it


class OrderingDraft(RequestBody):
    """What keeps events in order; what is missing is told as a finding."""

    key: str = ""
    description: str = ""


class ContractDraft(RequestBody):
    """A contract that somebody is writing."""

    type: str
    owner: str
    title: str = ""
    description: str = ""
    pattern: Pattern
    classification: Classification
    ordering: OrderingDraft = Field(default_factory=OrderingDraft)

    def value(self) -> Contract:
        """The contract, good or not."""
        about = self.model_dump(exclude={"ordering"})
        return Contract(**about, ordering=Ordering(self.ordering.key, self.ordering.description))


class LintQuestion(RequestBody):
    """What to look at. `levels` raises rules further than the owner has."""

    contract: ContractDraft
    data: Any = Field(alias="schema", description="the JSON Schema of the data")
    reply: Any = Field(None, description="that of the reply, for request-reply")
    levels: dict[str, str] = Field(default_factory=dict)


class LintAnswer(BaseModel):
    """All the advice there is, the gravest first."""

    findings: list[FindingBody]


_DOCUMENTED: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["contract", "schema"],
                    "additionalProperties": False,
                    "properties": {
                        "contract": {
                            "type": "object",
                            "required": ["type", "owner", "pattern", "classification"],
                        },
                        "schema": {"description": "the JSON Schema of the data"},
                        "reply": {"description": "that of the reply"},
                        "levels": {"type": "object", "additionalProperties": {"type": "string"}},
                    },
                }
            }
        },
    }
}


@router.post("/lint", openapi_extra=_DOCUMENTED)
async def lint_contract(request: Request, by: AuthenticatedClient, context: Context) -> LintAnswer:
    """Advice about a contract, by the national profile and what its owner raised in it."""
    question = _question(strict_json.parse(await request.body(), depth=DEPTH))
    contract = question.contract.value()
    async with context.database.session() as session:
        raised = (await defaults.defaults_of(session, contract.owner)).lint
    profile = national().raised(raised).raised(question.levels)
    found = await asyncio.to_thread(lint, contract, question.data, question.reply, profile=profile)
    return LintAnswer(findings=[FindingBody.of(each) for each in found])


def _question(document: Any) -> LintQuestion:
    """The question in a body that was read exactly, numbers and all."""
    try:
        return LintQuestion.model_validate(document)
    except ValidationError as error:
        faults = error.errors(include_context=False, include_input=False, include_url=False)
        raise RequestValidationError(
            [{**fault, "loc": ("body", *fault["loc"])} for fault in faults]
        ) from None

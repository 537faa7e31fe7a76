"""Bodies of `/v1/contracts`."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, Field

from gateway.contracts import (
    Classification,
    InvalidExample,
    Ordering,
    Pattern,
    RegisteredContract,
    State,
)
from gateway.contracts.compatibility import Mode, Policy, Rule
from gateway.contracts.governance import DeprecationNotice, NewSchema
from gateway.contracts.lint import Finding
from gateway.http.models import Description, RequestBody, Title

Type = Annotated[str, Field(max_length=255, examples=["id.go.dukcapil.ktp.dibuat.v1"])]
Report = Annotated[
    Type | None,
    Field(description="a type of the same owner by which it is told of each delivery that died"),
]
Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")]
_EXAMPLES = 100


class RuleBody(RequestBody):
    """What a new version owes to those before it."""

    mode: Mode = Mode.BACKWARD
    policy: Policy = Policy.STRICT

    @property
    def rule(self) -> Rule:
        """The value. Raises Invalid for a pair that would promise nothing."""
        return Rule(self.mode, self.policy)


class OrderingBody(RequestBody):
    """Which attribute events are kept in order by, and what it stands for."""

    key: Literal["subject", "partitionkey", "id"]
    description: Description = ""

    @property
    def ordering(self) -> Ordering:
        """The value."""
        return Ordering(self.key, self.description)


class ValidExampleBody(RequestBody):
    """Data that the schema must accept."""

    name: Name
    data: Any


class InvalidExampleBody(RequestBody):
    """Data that the schema must refuse; with `keyword`, by that keyword at `pointer`."""

    name: Name
    reason: Description = ""
    keyword: Annotated[str, Field(max_length=100)] = ""
    pointer: Annotated[str, Field(max_length=1000)] = ""
    data: Any


class ExamplesBody(RequestBody):
    """Examples of data."""

    valid: list[ValidExampleBody] = Field(default_factory=list, max_length=_EXAMPLES)
    invalid: list[InvalidExampleBody] = Field(default_factory=list, max_length=_EXAMPLES)

    def values(self) -> tuple[dict[str, Any], tuple[InvalidExample, ...]]:
        """What they are to the registry."""
        return (
            {each.name: each.data for each in self.valid},
            tuple(
                InvalidExample(each.name, each.reason, each.keyword, each.pointer, each.data)
                for each in self.invalid
            ),
        )


class NewVersionBody(RequestBody):
    """A version to be."""

    json_schema: Annotated[
        dict[str, Any],
        Field(
            alias="schema",
            description="JSON Schema 2020-12, 2019-09, draft 7 or draft 6, as `$schema` says; kept "
            "exactly as it is written",
        ),
    ]
    reply_schema: Annotated[
        dict[str, Any] | None, Field(description="of the reply, for request-reply only")
    ] = None
    examples: ExamplesBody = ExamplesBody()
    reply_examples: ExamplesBody = ExamplesBody()
    breaking: Annotated[
        bool,
        Field(
            description="it is meant to break what was promised: it waits as a draft until another "
            "administrator of the owner approves it"
        ),
    ] = False

    def new_schema(self, text: bytes, reply: bytes | None) -> NewSchema:
        """The value, with the schemas as they were written."""
        valid, invalid = self.examples.values()
        valid_replies, invalid_replies = self.reply_examples.values()
        return NewSchema(
            text,
            self.json_schema,
            reply,
            self.reply_schema,
            valid,
            invalid,
            valid_replies,
            invalid_replies,
            self.breaking,
        )


class NewContractBody(NewVersionBody):
    """A contract to be, with its first version."""

    type: Type
    title: Title
    description: Description = ""
    pattern: Pattern
    classification: Classification
    ordering: OrderingBody
    compatibility: Annotated[
        RuleBody | None, Field(description="its own; by default its owner's")
    ] = None
    non_delivery_report: Report = None


class ChangeBody(RequestBody):
    """What may be changed of a contract; what is left out stays."""

    title: Title | None = None
    description: Description | None = None
    classification: Classification | None = None
    ordering: OrderingBody | None = None
    compatibility: Annotated[
        RuleBody | None, Field(description="null: the default of its owner")
    ] = None
    non_delivery_report: Report = None

    def changes(self) -> dict[str, Any]:
        """The fields of the contract, and its rule."""
        given = {name: getattr(self, name) for name in self.model_fields_set}
        rule = {"rule": self.compatibility.rule if self.compatibility else None}
        found = {name: value for name, value in given.items() if name != "compatibility"}
        if self.ordering is not None:
            found["ordering"] = self.ordering.ordering
        found = {name: value for name, value in found.items() if value is not None}
        if "non_delivery_report" in given:
            found["non_delivery_report"] = self.non_delivery_report
        return found | (rule if "compatibility" in given else {})


class NoticeBody(RequestBody):
    """Until when, and what instead."""

    sunset: Annotated[
        AwareDatetime | None, Field(description="when it stops working, so far as known")
    ] = None
    successor: Annotated[Type | None, Field(description="the event type to publish instead")] = None

    @property
    def notice(self) -> DeprecationNotice:
        """The value."""
        return DeprecationNotice(self.sunset, self.successor)


class DefaultsBody(RequestBody):
    """What holds for the contracts of an organisation."""

    compatibility: RuleBody = RuleBody()
    lint: dict[str, Literal["info", "warning", "error"]] = Field(
        default_factory=dict,
        description="rules of lint whose level is raised above the national profile",
    )


class VersionSummary(BaseModel):
    """A version of a contract."""

    version: int
    state: State


class ContractBody(BaseModel):
    """A contract. Its ETag grows with every change of it or of a version."""

    type: str
    owner: str
    title: str
    description: str
    pattern: Pattern
    classification: Classification
    ordering: OrderingBody
    compatibility: Annotated[
        RuleBody | None, Field(description="its own; null: the default of its owner")
    ]
    non_delivery_report: Report
    state: State
    active_version: Annotated[
        int | None, Field(description="the one that judges where a publisher names none")
    ]
    versions: list[VersionSummary]
    revision: int
    created: datetime

    @classmethod
    def of(cls, registered: RegisteredContract) -> "ContractBody":
        """The body for a value."""
        contract, rule = registered.contract, registered.rule
        return cls(
            type=contract.type,
            owner=contract.owner,
            title=contract.title,
            description=contract.description,
            pattern=contract.pattern,
            classification=contract.classification,
            ordering=OrderingBody.model_construct(
                key=contract.ordering.key, description=contract.ordering.description
            ),
            compatibility=RuleBody(mode=rule.mode, policy=rule.policy) if rule else None,
            non_delivery_report=contract.non_delivery_report,
            state=registered.state,
            active_version=registered.active_version,
            versions=[
                VersionSummary(version=number, state=state)
                for number, state in sorted(registered.versions.items())
            ],
            revision=registered.revision,
            created=registered.created,
        )


class FindingBody(BaseModel):
    """Advice about a contract."""

    rule: str
    level: Literal["info", "warning", "error"]
    document: str
    pointer: str
    message: str
    advice: str

    @classmethod
    def of(cls, finding: Finding) -> "FindingBody":
        """The body for a value."""
        return cls.model_construct(
            rule=finding.rule,
            level=finding.level.value,
            document=finding.document,
            pointer=finding.pointer,
            message=finding.message,
            advice=finding.advice,
        )

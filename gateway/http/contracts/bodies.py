"""Request bodies of `/v1/contracts`, and the parts that they share with answers."""

from typing import Annotated, Any, Literal

import msgspec
from pydantic import Field
from typing_extensions import TypeAliasType

from gateway import contracts
from gateway.contracts import Classification, Pattern, governance
from gateway.contracts.compatibility import CompatibilityMode, CompatibilityPolicy, Rule
from gateway.http.models import Description, JsonSchema, Moment, RequestBody, Title, example

TYPE = "id.go.kemenkes.vaksin.diberikan.v1"
EventType = Annotated[str, Field(max_length=255, examples=[TYPE])]
ReportType = Annotated[
    EventType | None,
    Field(
        description="The type, of the same owner, of the reports about dead letters. "
        "Null for no reports."
    ),
]
RetentionDays = Annotated[
    Annotated[int, Field(ge=1, le=contracts.LONGEST_RETENTION)] | None,
    Field(
        description="Days for which its events are kept after they were recorded. They are removed "
        "by months: at most 32 days later. Null keeps them for ever."
    ),
]
ExampleName = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]*$")]
LintLevel = TypeAliasType("LintLevel", Literal["info", "warning", "error"])
_MAX_EXAMPLES = 100
_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["nomor_kartu"],
    "properties": {"nomor_kartu": {"type": "string", "pattern": "^KV-[0-9]{8}$"}},
    "additionalProperties": False,
}
EXAMPLES = {
    "valid": [{"name": "card", "data": {"nomor_kartu": "KV-00000001"}}],
    "invalid": [
        {
            "name": "short",
            "reason": "A card number has eight digits.",
            "keyword": "pattern",
            "pointer": "/nomor_kartu",
            "data": {"nomor_kartu": "KV-1"},
        }
    ],
}


class CompatibilityRule(RequestBody):
    """Which compatibility a new version must keep with earlier versions."""

    mode: CompatibilityMode = CompatibilityMode.BACKWARD
    policy: CompatibilityPolicy = CompatibilityPolicy.STRICT

    @property
    def rule(self) -> Rule:
        """The value. Raises Invalid for a pair that guarantees nothing."""
        return Rule(self.mode, self.policy)


class Ordering(RequestBody):
    """The attribute by which events are kept in order, and its meaning."""

    key: Literal["subject", "partitionkey", "id"]
    description: Description = ""

    @property
    def value(self) -> contracts.Ordering:
        """The value."""
        return contracts.Ordering(self.key, self.description)


class ValidExample(RequestBody):
    """Data that the schema must accept."""

    name: ExampleName
    data: Any


class InvalidExample(RequestBody):
    """Data that the schema must refuse; with `keyword`, by that keyword at `pointer`."""

    name: ExampleName
    reason: Description = ""
    keyword: Annotated[str, Field(max_length=100)] = ""
    pointer: Annotated[str, Field(max_length=1000)] = ""
    data: Any


class SchemaExamples(RequestBody):
    """Examples of data."""

    valid: list[ValidExample] = Field(default_factory=list, max_length=_MAX_EXAMPLES)
    invalid: list[InvalidExample] = Field(default_factory=list, max_length=_MAX_EXAMPLES)

    def values(self) -> tuple[dict[str, Any], tuple[contracts.InvalidExample, ...]]:
        """The valid examples by name, and the invalid ones."""
        return (
            {each.name: each.data for each in self.valid},
            tuple(
                contracts.InvalidExample(
                    each.name, each.reason, each.keyword, each.pointer, each.data
                )
                for each in self.invalid
            ),
        )


class NewVersion(RequestBody):
    """A new version of a contract."""

    model_config = example(schema=SCHEMA, examples=EXAMPLES)

    json_schema: JsonSchema = Field(
        alias="schema",
        description="JSON Schema 2020-12, 2019-09, draft 7 or draft 6, as `$schema` says. It is "
        "kept exactly as written.",
    )
    reply_schema: Annotated[
        JsonSchema | None,
        Field(description="The schema of the reply, for request-reply contracts only."),
    ] = None
    examples: SchemaExamples = SchemaExamples()
    reply_examples: SchemaExamples = SchemaExamples()
    breaking: bool = Field(
        default=False,
        description="Register an incompatible version as a draft, which another administrator of "
        "the owner can approve.",
    )

    def new_schema(self, body: bytes) -> governance.NewSchema:
        """The value, with the schemas as they are written in this body."""
        texts = _members(body)
        valid, invalid = self.examples.values()
        valid_replies, invalid_replies = self.reply_examples.values()
        return governance.NewSchema(
            bytes(texts["schema"]),
            self.json_schema,
            None if self.reply_schema is None else bytes(texts["reply_schema"]),
            self.reply_schema,
            valid,
            invalid,
            valid_replies,
            invalid_replies,
            self.breaking,
        )


class NewContract(NewVersion):
    """A new contract with its first version."""

    model_config = example(
        type=TYPE,
        title="Vaccine given",
        description="A health facility has given one dose to one person.",
        pattern="publish-subscribe",
        classification="confidential",
        ordering={"key": "subject", "description": "subject = nomor_kartu, the card number"},
        schema=SCHEMA,
        examples=EXAMPLES,
    )

    type: EventType
    title: Title
    description: Description = ""
    pattern: Pattern
    classification: Classification
    ordering: Ordering
    compatibility: Annotated[
        CompatibilityRule | None, Field(description="By default the rule of the owner.")
    ] = None
    non_delivery_report: ReportType = None
    retention_days: RetentionDays = None

    def new_contract(self, body: bytes) -> governance.NewContract:
        """The value, with the schemas as they are written in this body."""
        contract = contracts.Contract(
            self.type,
            "".join(self.type.split(".")[2:3]),
            self.title,
            self.description,
            self.pattern,
            self.classification,
            self.ordering.value,
            self.non_delivery_report,
            self.retention_days,
        )
        rule = self.compatibility.rule if self.compatibility else None
        return governance.NewContract(contract, rule, self.new_schema(body))


class ContractChanges(RequestBody):
    """Changes of a contract. Members that are left out stay as they are."""

    model_config = example(
        title="Vaccine given", compatibility={"mode": "full-transitive", "policy": "strict"}
    )

    title: Title | None = None
    description: Description | None = None
    classification: Classification | None = None
    ordering: Ordering | None = None
    compatibility: Annotated[
        CompatibilityRule | None, Field(description="Null for the default of its owner.")
    ] = None
    non_delivery_report: ReportType = None
    retention_days: RetentionDays = None

    def changes(self) -> dict[str, Any]:
        """The changed fields of the contract by name, and `rule`."""
        given = {name: getattr(self, name) for name in self.model_fields_set}
        rule = {"rule": self.compatibility.rule if self.compatibility else None}
        found = {name: value for name, value in given.items() if name != "compatibility"}
        if self.ordering is not None:
            found["ordering"] = self.ordering.value
        found = {name: value for name, value in found.items() if value is not None}
        for name in ("non_delivery_report", "retention_days"):  # null has a meaning
            if name in given:
                found[name] = given[name]
        return found | (rule if "compatibility" in given else {})


class NewDeprecation(RequestBody):
    """When a deprecated version stops working, and what replaces it."""

    model_config = example(
        sunset="2030-06-30T17:00:00Z", successor="id.go.kemenkes.vaksin.diberikan.v2"
    )

    sunset: Annotated[Moment | None, Field(description="When it stops working, if known.")] = None
    successor: Annotated[
        EventType | None, Field(description="The event type to publish instead.")
    ] = None

    @property
    def notice(self) -> governance.DeprecationNotice:
        """The value."""
        return governance.DeprecationNotice(self.sunset, self.successor)


class ContractDefaults(RequestBody):
    """The defaults for contracts of an organisation."""

    model_config = example(
        compatibility={"mode": "full", "policy": "strict"}, lint={"personal-data": "error"}
    )

    compatibility: CompatibilityRule = CompatibilityRule()
    lint: dict[str, LintLevel] = Field(
        default_factory=dict,
        description="Lint rules whose level is raised above the national profile.",
    )

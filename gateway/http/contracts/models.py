"""Answers of `/v1/contracts`. Stored JSON goes out exactly as it is stored."""

from datetime import datetime
from typing import Annotated

import msgspec
from pydantic import BaseModel, Field

from gateway import contracts
from gateway.contracts import (
    Classification,
    Pattern,
    StoredVersion,
    VersionState,
    governance,
    schema_url,
    schema_urn,
)
from gateway.contracts.lint import Finding
from gateway.http.contracts.bodies import (
    CompatibilityRule,
    InvalidExample,
    LintLevel,
    Ordering,
    ReportType,
    RetentionDays,
    ValidExample,
)
from gateway.http.etags import etag
from gateway.http.models import JsonOf, JsonSchema, ModelResponse, Resource
from gateway.http.reports import Impact, RawReport

_encode = msgspec.json.Encoder(decimal_format="number").encode
RawSchema = Annotated[msgspec.Raw, JsonOf(JsonSchema)]


class VersionSummary(BaseModel):
    """The state of one version."""

    version: int
    state: VersionState


class Contract(BaseModel):
    """A contract. Its ETag changes with every change of it or of one of its versions."""

    type: str
    owner: str
    title: str
    description: str
    pattern: Pattern
    classification: Classification
    ordering: Ordering
    compatibility: CompatibilityRule | None = Field(
        description="Its own rule. Null for the default of its owner."
    )
    non_delivery_report: ReportType
    retention_days: RetentionDays
    state: VersionState = Field(description="The best state of its versions.")
    active_version: int | None = Field(description="The version for events without a `dataschema`.")
    versions: list[VersionSummary]
    revision: int
    created: datetime

    @classmethod
    def of(cls, registered: contracts.RegisteredContract) -> "Contract":
        """The model of a value."""
        contract, rule = registered.contract, registered.rule
        return cls(
            type=contract.type,
            owner=contract.owner,
            title=contract.title,
            description=contract.description,
            pattern=contract.pattern,
            classification=contract.classification,
            ordering=Ordering.model_construct(
                key=contract.ordering.key, description=contract.ordering.description
            ),
            compatibility=CompatibilityRule(mode=rule.mode, policy=rule.policy) if rule else None,
            non_delivery_report=contract.non_delivery_report,
            retention_days=contract.retention_days,
            state=registered.state,
            active_version=registered.active_version,
            versions=[
                VersionSummary(version=number, state=state)
                for number, state in sorted(registered.versions.items())
            ],
            revision=registered.revision,
            created=registered.created,
        )


class Deprecation(Resource):
    """Since when a version is deprecated, until when it works, and its successor."""

    since: datetime
    sunset: datetime | None
    successor: str | None


class StoredExamples(BaseModel):
    """The examples with which a version was registered."""

    valid: list[ValidExample]
    invalid: list[InvalidExample]
    valid_replies: list[ValidExample]
    invalid_replies: list[InvalidExample]


class ContractVersion(BaseModel):
    """A version of a contract. `schema` is what was registered, to the last digit."""

    type: str
    version: int
    id: str = Field(description="The id by which other schemas refer to it.")
    dataschema: str = Field(description="Its URL, which events may carry as `dataschema`.")
    state: VersionState
    digest: str = Field(description="SHA-256 of the canonical schemas.")
    created: datetime
    registered_by: str | None
    approved_by: str | None
    deprecation: Deprecation | None
    closed: bool = Field(description="Whether members that the schema does not name are refused.")
    json_schema: RawSchema = Field(alias="schema")
    reply_schema: RawSchema | None
    examples: Annotated[msgspec.Raw, JsonOf(StoredExamples)] | None
    compatibility: RawReport | None

    @classmethod
    def of(cls, stored: StoredVersion, base_url: str) -> "ContractVersion":
        """The model of a value."""
        type, number, deprecation = stored.type, stored.version.number, stored.deprecation
        return cls(
            type=type,
            version=number,
            id=schema_urn(type, number),
            dataschema=schema_url(base_url, type, number),
            state=stored.state,
            digest=stored.digest.hex(),
            created=stored.created,
            registered_by=stored.registered_by,
            approved_by=stored.approved_by,
            deprecation=None if deprecation is None else Deprecation.model_validate(deprecation),
            closed=stored.closed,
            schema=msgspec.Raw(stored.version.text),
            reply_schema=_raw(stored.version.reply),
            examples=_raw(stored.examples),
            compatibility=_raw(stored.comparison),
        )


class LintFinding(Resource):
    """One piece of advice about a contract."""

    rule: str
    level: LintLevel
    document: str = Field(description="`contract`, `schema` or `reply`.")
    pointer: str = Field(description="An RFC 6901 pointer into the document.")
    message: str
    advice: str

    @classmethod
    def of(cls, finding: Finding) -> "LintFinding":
        """The model of a value."""
        return cls.model_validate(finding)


class RegisteredVersion(BaseModel):
    """A registered version with its contract, the findings of lint, and the comparison."""

    contract: Contract
    version: ContractVersion
    advice: list[LintFinding]
    compatibility: RawReport | None
    impact: Impact | None = Field(description="Set if the version is not compatible.")


class VersionCheck(BaseModel):
    """The result of a dry run."""

    existing: int | None = Field(description="The version with the same schema, if any.")
    compatibility: RawReport
    impact: Impact | None = Field(description="Set if the version is not compatible.")
    advice: list[LintFinding]


class ContractCheck(BaseModel):
    """The result of a dry run of a new contract."""

    advice: list[LintFinding]


class Retirement(BaseModel):
    """The versions that were retired, or would be, and who is affected."""

    contract: Contract
    versions: list[int]
    impact: Impact


def contract_response(registered: contracts.RegisteredContract) -> ModelResponse[Contract]:
    """A contract with its ETag."""
    return ModelResponse(Contract.of(registered), headers={"etag": etag(registered.revision)})


def registration_response(
    result: governance.RegistrationResult, base_url: str
) -> ModelResponse[RegisteredVersion]:
    """A registered version with its ETag and Location; 200 if it was registered before."""
    stored, report = result.version, result.compatibility
    model = RegisteredVersion(
        contract=Contract.of(result.registered),
        version=ContractVersion.of(stored, base_url),
        advice=[LintFinding.of(each) for each in result.advice],
        compatibility=None if report is None else msgspec.Raw(report.document()),
        impact=Impact.of_optional(result.impact),
    )
    headers = {
        "etag": etag(result.registered.revision),
        "location": f"/v1/contracts/{stored.type}/versions/{stored.version.number}",
    }
    return ModelResponse(model, 201 if result.created else 200, headers)


def _raw(text: bytes | None) -> msgspec.Raw | None:
    return None if text is None else msgspec.Raw(text)

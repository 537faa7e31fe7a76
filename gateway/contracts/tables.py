"""Table rows of contracts. They do not leave this package."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, Column, DateTime, LargeBinary, Sequence
from sqlmodel import Field, SQLModel

CHANGED = Sequence("contract_change_numbers")


def _time(*, nullable: bool = False) -> Any:
    return Field(default=None, sa_column=Column(DateTime(timezone=True), nullable=nullable))


def _bytes(*, nullable: bool = False) -> Any:
    return Field(default=None, sa_column=Column(LargeBinary, nullable=nullable))


class ContractRow(SQLModel, table=True):
    """A contract. Catalogues reload by `changed`; `revision` is the ETag for administrators."""

    __tablename__ = "contracts"

    type: str = Field(primary_key=True)
    owner: str
    title: str
    description: str
    pattern: str
    classification: str
    ordering_key: str
    ordering_description: str
    non_delivery_report: str | None = None
    retention_days: int | None = None
    retention_changed: datetime = Field(
        default_factory=lambda: datetime.now(UTC),
        sa_column=Column(DateTime(timezone=True), nullable=False),
    )
    created: datetime = _time()
    revision: int = Field(default=1, sa_type=BigInteger)
    changed: int = Field(default=0, sa_type=BigInteger)
    mode: str | None = None
    policy: str | None = None


class VersionRow(SQLModel, table=True):
    """A schema version of a contract."""

    __tablename__ = "contract_versions"

    type: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    digest: bytes = _bytes()
    text: bytes = _bytes()
    reply: bytes | None = _bytes(nullable=True)
    created: datetime = _time()
    state: str = "active"
    bundle: bytes | None = _bytes(nullable=True)
    reply_bundle: bytes | None = _bytes(nullable=True)
    closed: bool = False
    inline_bytes: int
    examples: bytes | None = _bytes(nullable=True)
    comparison: bytes | None = _bytes(nullable=True)
    registered_by: str | None = None
    approved_by: str | None = None
    deprecated: datetime | None = _time(nullable=True)
    sunset: datetime | None = _time(nullable=True)
    successor: str | None = None


class ExampleRow(SQLModel, table=True):
    """An example of the newest version of a contract."""

    __tablename__ = "contract_examples"

    type: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    document: bytes = _bytes()


class DefaultsRow(SQLModel, table=True):
    """The defaults for contracts of an organisation; '' for all organisations."""

    __tablename__ = "contract_rules"

    organisation: str = Field(primary_key=True)
    mode: str
    policy: str
    lint: bytes = _bytes()
    revision: int = Field(default=1, sa_type=BigInteger)


class HistoryRow(SQLModel, table=True):
    """One change of a contract. Rows are only added."""

    __tablename__ = "contract_history"

    number: int | None = Field(default=None, primary_key=True, sa_type=BigInteger)
    type: str
    recorded: datetime = _time()
    client: str
    organisation: str
    action: str
    version: int | None = None
    detail: bytes = _bytes()

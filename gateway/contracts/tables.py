"""The rows of contracts. They never leave this noun; the shape is made by migration 0003."""

from datetime import datetime

from sqlalchemy import Column, DateTime, LargeBinary
from sqlmodel import Field, SQLModel


class ContractRow(SQLModel, table=True):
    """A contract."""

    __tablename__ = "contracts"

    type: str = Field(primary_key=True)
    owner: str
    title: str
    description: str
    pattern: str
    classification: str
    ordering_key: str
    ordering_description: str
    created: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))


class VersionRow(SQLModel, table=True):
    """A schema version of a contract."""

    __tablename__ = "contract_versions"

    type: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    digest: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    text: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    reply: bytes | None = Field(default=None, sa_column=Column(LargeBinary))
    created: datetime = Field(sa_column=Column(DateTime(timezone=True), nullable=False))


class ExampleRow(SQLModel, table=True):
    """An example that a contract was admitted with."""

    __tablename__ = "contract_examples"

    type: str = Field(primary_key=True)
    kind: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    document: bytes = Field(sa_column=Column(LargeBinary, nullable=False))

"""Requests and replies: who answers, and which replies were refused."""

from alembic import op

from gateway.request_reply.refused_replies import TABLES

revision = "0011_requests"
down_revision = "0006_contract_registry"


def upgrade() -> None:
    """Make the table; nobody answers requests yet."""
    op.execute("ALTER TABLE subscriptions ADD COLUMN answers boolean NOT NULL DEFAULT false")
    for statement in TABLES.split(";\n"):
        if statement.strip():
            op.execute(statement)

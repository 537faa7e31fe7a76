"""Webhooks: endpoints that agreed, the keys that sign, and who dispatches which subscription."""

from alembic import op

from gateway.delivery.store.leases import TABLES as LEASES

revision = "0010_webhooks"
down_revision = "0011_requests"

TABLES = """
ALTER TABLE subscriptions ADD COLUMN paused_because text;

CREATE TABLE webhook_endpoints (
    organisation text NOT NULL,
    name text NOT NULL,
    agreed_url text,
    agreed_rate double precision,
    trouble text,
    changed timestamptz NOT NULL,
    PRIMARY KEY (organisation, name),
    FOREIGN KEY (organisation, name) REFERENCES subscriptions ON DELETE CASCADE
);

CREATE TABLE webhook_keys (
    organisation text NOT NULL,
    name text NOT NULL,
    id text NOT NULL,
    signature text NOT NULL CHECK (signature IN ('hmac', 'ed25519')),
    public text,
    sealed bytea NOT NULL,
    created timestamptz NOT NULL,
    ends timestamptz,
    PRIMARY KEY (organisation, name, id),
    FOREIGN KEY (organisation, name) REFERENCES subscriptions ON DELETE CASCADE
);
"""


def upgrade() -> None:
    """Make the tables."""
    for statement in (TABLES + LEASES).split(";\n"):
        if statement.strip():
            op.execute(statement)

"""Organisations, their clients and grants, and the keys that sign tokens."""

from alembic import op

revision = "0002_identity"
down_revision = "0001_journal"

TABLES = (
    """
    CREATE TABLE organisations (
        name text PRIMARY KEY CHECK (name ~ '^[a-z][a-z0-9-]{1,30}$'),
        title text NOT NULL,
        description text NOT NULL,
        operator boolean NOT NULL,
        created timestamptz NOT NULL
    )
    """,
    """
    CREATE TABLE clients (
        id text PRIMARY KEY,
        organisation text NOT NULL REFERENCES organisations,
        title text NOT NULL,
        roles text[] NOT NULL
            CHECK (roles <@ ARRAY['admin', 'publisher', 'subscriber', 'auditor']),
        state text NOT NULL CHECK (state IN ('active', 'disabled')),
        created timestamptz NOT NULL
    )
    """,
    "CREATE INDEX clients_of ON clients (organisation, id)",
    """
    CREATE TABLE client_secrets (
        id text PRIMARY KEY,
        client text NOT NULL REFERENCES clients,
        digest bytea NOT NULL CHECK (length(digest) = 32),
        created timestamptz NOT NULL
    )
    """,
    "CREATE INDEX client_secrets_of ON client_secrets (client)",
    """
    CREATE TABLE grants (
        id text PRIMARY KEY,
        organisation text NOT NULL REFERENCES organisations,
        action text NOT NULL CHECK (action IN ('publish', 'subscribe')),
        type text NOT NULL,
        granted_by text NOT NULL REFERENCES clients,
        created timestamptz NOT NULL,
        UNIQUE (organisation, action, type)
    )
    """,
    """
    CREATE TABLE signing_keys (
        kid text PRIMARY KEY,
        public jsonb NOT NULL,
        sealed bytea NOT NULL,
        state text NOT NULL CHECK (state IN ('next', 'active', 'retired')),
        created timestamptz NOT NULL,
        activated timestamptz,
        retired timestamptz
    )
    """,
    "CREATE UNIQUE INDEX signing_keys_in_turn ON signing_keys (state) WHERE state <> 'retired'",
)


def upgrade() -> None:
    """Make the tables."""
    connection = op.get_bind()
    for table in TABLES:
        connection.exec_driver_sql(table)

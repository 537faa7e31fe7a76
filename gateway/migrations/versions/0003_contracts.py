"""Contracts, their schema versions and examples."""

from alembic import op

revision = "0003_contracts"
down_revision = "0002_identity"

TABLES = (
    """
    CREATE TABLE contracts (
        type text PRIMARY KEY,
        owner text NOT NULL REFERENCES organisations,
        title text NOT NULL,
        description text NOT NULL,
        pattern text NOT NULL
            CHECK (pattern IN ('publish-subscribe', 'point-to-point', 'request-reply')),
        classification text NOT NULL
            CHECK (classification IN ('public', 'internal', 'confidential', 'secret')),
        ordering_key text NOT NULL,
        ordering_description text NOT NULL,
        created timestamptz NOT NULL
    )
    """,
    """
    CREATE TABLE contract_versions (
        type text NOT NULL REFERENCES contracts,
        number integer NOT NULL CHECK (number > 0),
        digest bytea NOT NULL CHECK (length(digest) = 32),
        text bytea NOT NULL,
        reply bytea,
        created timestamptz NOT NULL,
        PRIMARY KEY (type, number)
    )
    """,
    """
    CREATE TABLE contract_examples (
        type text NOT NULL REFERENCES contracts,
        kind text NOT NULL
            CHECK (kind IN ('valid', 'invalid', 'valid-reply', 'invalid-reply')),
        name text NOT NULL,
        document bytea NOT NULL,
        PRIMARY KEY (type, kind, name)
    )
    """,
)


def upgrade() -> None:
    """Make the tables."""
    for table in TABLES:
        op.execute(table)

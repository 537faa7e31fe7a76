"""Subscriptions and how far each has come; refusals."""

from alembic import op

revision = "0004_subscriptions"
down_revision = "0003_contracts"

TABLES = (
    """
    CREATE TABLE subscriptions (
        organisation text NOT NULL REFERENCES organisations,
        name text NOT NULL CHECK (name ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
        types text[] NOT NULL CHECK (cardinality(types) BETWEEN 1 AND 100),
        point_to_point boolean NOT NULL,
        ordered boolean NOT NULL,
        start text NOT NULL,
        state text NOT NULL CHECK (state IN ('catching-up', 'active', 'suspended')),
        generation integer NOT NULL,
        password_hash text NOT NULL,
        created timestamptz NOT NULL,
        created_by text NOT NULL REFERENCES clients,
        repairs integer NOT NULL DEFAULT 0,
        PRIMARY KEY (organisation, name)
    )
    """,
    """
    CREATE TABLE subscription_places (
        organisation text NOT NULL,
        name text NOT NULL,
        shard smallint NOT NULL,
        start bigint NOT NULL,
        position bigint NOT NULL,
        joined boolean NOT NULL DEFAULT false,
        routed bigint NOT NULL,
        drained bigint NOT NULL,
        PRIMARY KEY (organisation, name, shard),
        FOREIGN KEY (organisation, name) REFERENCES subscriptions ON DELETE CASCADE
    ) WITH (fillfactor = 50)
    """,
    """
    CREATE TABLE point_to_point_served (
        type text NOT NULL,
        shard smallint NOT NULL,
        sequence bigint NOT NULL,
        PRIMARY KEY (type, shard)
    )
    """,
    """
    CREATE TABLE refusals (
        number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        recorded timestamptz NOT NULL DEFAULT clock_timestamp(),
        client text NOT NULL,
        organisation text NOT NULL,
        type text,
        source text,
        id text,
        reason text NOT NULL,
        detail text NOT NULL,
        violations text NOT NULL,
        digest bytea NOT NULL
    )
    """,
    "CREATE INDEX refusals_of ON refusals (organisation, number)",
)


def upgrade() -> None:
    """Make the tables."""
    for table in TABLES:
        op.execute(table)

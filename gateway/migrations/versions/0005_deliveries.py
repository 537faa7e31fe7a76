"""Subscriptions that the gateway serves from the journal, and what became of each delivery."""

from alembic import op

from gateway.delivery.store.deliveries_sql import TABLES

revision = "0005_deliveries"
down_revision = "0004_subscriptions"


def upgrade() -> None:
    """Make the tables; what subscribed before goes on over AMQP."""
    op.execute("ALTER TABLE subscriptions ADD COLUMN delivery text NOT NULL DEFAULT 'amqp'")
    op.execute("ALTER TABLE subscriptions ADD COLUMN terms text NOT NULL DEFAULT '{}'")
    op.execute("ALTER TABLE subscriptions ADD COLUMN paused boolean NOT NULL DEFAULT false")
    for statement in TABLES.split(";\n"):
        if statement.strip():
            op.execute(statement)

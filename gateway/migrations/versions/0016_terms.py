"""Limits of a subscription: its rate, and the age of what it is handed."""

from alembic import op

from gateway.delivery.store.deliveries_sql import RATE_TABLE

revision = "0016_terms"
down_revision = "0010_webhooks"

# The rate stood with the endpoint of a webhook.
RATE = """
UPDATE subscriptions
SET terms = jsonb_set(terms::jsonb #- '{endpoint,rate}', '{rate}',
                      terms::jsonb #> '{endpoint,rate}')::text
WHERE terms::jsonb #> '{endpoint,rate}' IS NOT NULL
"""


def upgrade() -> None:
    """Make the table; what is there already keeps its rate and may be of any age."""
    op.execute("ALTER TABLE delivery_open ADD COLUMN redriven timestamptz")
    op.execute(RATE)
    op.execute(RATE_TABLE)

"""Deep queues: since when a subscription gets from the journal what its queue has no room for."""

from alembic import op

revision = "0020_deep_queues"
down_revision = "0019_non_delivery"


def upgrade() -> None:
    """Add the column; nobody is diverted yet."""
    op.execute("""
        ALTER TABLE subscriptions ADD COLUMN diverted timestamptz,
            DROP CONSTRAINT subscriptions_state_check,
            ADD CONSTRAINT subscriptions_state_check
                CHECK (state IN ('catching-up', 'active', 'diverting', 'suspended'))
    """)

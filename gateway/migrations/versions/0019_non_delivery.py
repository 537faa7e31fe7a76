"""Owners of contracts may want a report of each delivery that died."""

from alembic import op

revision = "0019_non_delivery"
down_revision = "0018_attention"


def upgrade() -> None:
    """Add the columns; what has died before is not reported."""
    op.execute("ALTER TABLE contracts ADD COLUMN non_delivery_report text")
    op.execute(
        """
        ALTER TABLE dead_letters
            ADD COLUMN report text NOT NULL DEFAULT 'none'
                CHECK (report IN ('open', 'none', 'sent', 'refused')),
            ADD COLUMN report_shard smallint,
            ADD COLUMN report_sequence bigint
        """
    )
    op.execute("ALTER TABLE dead_letters ALTER COLUMN report SET DEFAULT 'open'")
    op.execute(
        "CREATE INDEX dead_letters_unreported ON dead_letters (number) WHERE report = 'open'"
    )

"""Dead letters know who looked at them first, and whether they were told of."""

from alembic import op

revision = "0018_attention"
down_revision = "0017_dead_letters"


def upgrade() -> None:
    """Add the columns; nobody has looked at anything yet."""
    op.execute(
        """
        ALTER TABLE dead_letters
            ADD COLUMN seen timestamptz,
            ADD COLUMN seen_by text,
            ADD COLUMN alerted boolean NOT NULL DEFAULT false
        """
    )
    op.execute(
        """
        CREATE INDEX dead_letters_unattended ON dead_letters (organisation, name, died)
        WHERE state = 'dead' AND seen IS NULL
        """
    )

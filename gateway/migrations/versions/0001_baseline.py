"""The baseline: all tables, one SQL file for each room, and two for retention.

A migration never imports the code: the code goes on, and a migration must give the same result for
ever. From the first release on, a change of the schema is a new file beside this one.
"""

from pathlib import Path

from alembic import op

revision = "0001_baseline"
down_revision = None

_FOLDER = Path(__file__).parent / "baseline"
# In the order of their foreign keys.
_ROOMS = (
    "base", "journal", "identity", "contracts", "subscriptions", "request_reply", "delivery",
    "quotas", "retention", "retention_runs",
)  # fmt: skip


def upgrade() -> None:
    """Create everything. There is no downgrade: it would delete what the bus promised to keep."""
    driver = op.get_bind().connection
    for room in _ROOMS:
        script = (_FOLDER / f"{room}.sql").read_text()
        # By the driver itself, which takes several statements at once.
        driver.run_async(lambda connection, script=script: connection.execute(script))

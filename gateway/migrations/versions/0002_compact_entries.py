"""Entries in less space: what events of a client have in common is stored once (decision 0038).

Rows of before stay as they are. Nothing is read or rewritten here, so intake waits for the locks of
a few changes of the catalogue only. The index of each partition is made afterwards, beside intake,
by `gateway/migrations/position_indexes.py`.
"""

from pathlib import Path

from alembic import op

revision = "0002_compact_entries"
down_revision = "0001_baseline"

FOLDER = Path(__file__).parent / "compact_entries"
PARTS = ("journal", "retention", "retention_runs")


def upgrade() -> None:
    """There is no downgrade: older processes can read and write what this makes."""
    driver = op.get_bind().connection
    for part in PARTS:
        script = (FOLDER / f"{part}.sql").read_text()
        driver.run_async(lambda connection, script=script: connection.execute(script))

"""The journal, its shards and leads, and the revisions of the control plane."""

from alembic import op

from gateway.journal import sql

revision = "0001_journal"
down_revision = None


def upgrade() -> None:
    """Make the tables. A journal that holds events is never downgraded."""
    connection = op.get_bind()
    for statement in (*sql.TABLES.split(";\n"), sql.APPEND_FUNCTION):
        if statement.strip():
            connection.exec_driver_sql(statement)

"""Dead letters know their event, and may be corrected by another one."""

from alembic import op

revision = "0017_dead_letters"
down_revision = "0016_terms"

COLUMNS = """
ALTER TABLE dead_letters
    ADD COLUMN publisher text,
    ADD COLUMN source text,
    ADD COLUMN event text,
    ADD COLUMN trace text,
    ADD COLUMN key uuid NOT NULL DEFAULT gen_random_uuid(),
    ADD COLUMN resent_shard smallint,
    ADD COLUMN resent_sequence bigint,
    DROP CONSTRAINT dead_letters_state_check,
    ADD CHECK (state IN ('dead', 'redriven', 'discarded', 'resent'))
"""
FACTS = """
SELECT c.organisation, e.source, e.id,
       substring(e.attributes::json ->> 'traceparent' FROM '^[0-9a-f]{2}-([0-9a-f]{32})-')
"""
OF_ENTRY = """
FROM journal_entry e LEFT JOIN clients c ON c.id = e.client
"""
# Whichever way a delivery dies, its row is made in one of several statements; none of them knows
# more of the event than its place.
LEARN = f"""
CREATE FUNCTION dead_letter_facts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    {FACTS} INTO NEW.publisher, NEW.source, NEW.event, NEW.trace {OF_ENTRY}
    WHERE e.shard = NEW.shard AND e.sequence = NEW.sequence AND e.recorded = NEW.recorded;
    RETURN NEW;
END $$
"""
LEARNING = """
CREATE TRIGGER dead_letters_learn BEFORE INSERT ON dead_letters
FOR EACH ROW EXECUTE FUNCTION dead_letter_facts()
"""
LEARNT = f"""
UPDATE dead_letters d SET (publisher, source, event, trace) = (
    {FACTS} {OF_ENTRY}
    WHERE e.shard = d.shard AND e.sequence = d.sequence AND e.recorded = d.recorded)
"""  # noqa: S608 - put together from constants
INDEXES = (
    "CREATE INDEX dead_letters_publisher ON dead_letters (publisher, number)",
    "CREATE INDEX dead_letters_event ON dead_letters (event)",
    "CREATE INDEX dead_letters_trace ON dead_letters (trace) WHERE trace IS NOT NULL",
)


def upgrade() -> None:
    """Add the columns; what is dead already learns of its event too."""
    for statement in (COLUMNS, LEARN, LEARNING, LEARNT, *INDEXES):
        op.execute(statement)

"""Every SQL statement of the journal. Tables and functions are made by the migrations.

Invariants that the statements keep:

* A shard's counter row is locked until commit, so the order of sequences is the order in which
  entries become visible: a reader of `sequence > n` misses nothing.
* `recorded` never runs backwards inside a shard, even if the clock does: a reader
  that knows the time of its cursor can leave older partitions unread.
* Every write of a relay names its epoch: the write of a lease that was replaced does nothing.
* Where an incarnation began there is a gap: nobody counts entries by subtracting sequences.
"""

CREATE_SHARDS = """
INSERT INTO journal_shards (shard, incarnation)
SELECT generate_series(0, $1::integer - 1),
       (SELECT id FROM journal_incarnations ORDER BY number DESC LIMIT 1)
WHERE NOT EXISTS (SELECT FROM journal_shards)
"""
CREATE_LEASES = (
    "INSERT INTO journal_leases (shard) SELECT shard FROM journal_shards ON CONFLICT DO NOTHING"
)

APPEND = (
    "SELECT r_ord, r_shard, r_sequence, r_recorded, r_digest "
    "FROM journal_append_rows($1, $2, $3, $4, $5, $6)"
)
# The part before SELECT is done whether or not its rows are read.
APPEND_WITH_CHECKPOINTS = """
WITH checkpointed AS (
    INSERT INTO journal_streams (client, stream, chunk)
    SELECT * FROM unnest($7::text[], $8::text[], $9::bigint[])
    ON CONFLICT (client, stream) DO UPDATE
    SET chunk = greatest(journal_streams.chunk, excluded.chunk), changed = clock_timestamp()
)
SELECT r_ord, r_shard, r_sequence, r_recorded, r_digest
FROM journal_append_rows($1, $2, $3, $4, $5, $6)
"""
CHECKPOINT = "SELECT chunk FROM journal_streams WHERE client = $1 AND stream = $2"
FORGET_STREAMS = "DELETE FROM journal_streams WHERE changed < clock_timestamp() - $1::interval"

ENTER = "SELECT r_number, r_id FROM journal_enter($1, $2, $3, $4)"
RECOVERED = "SELECT bool_and(recovered IS NOT NULL) FROM journal_incarnations"
SET_RECOVERED = """
UPDATE journal_incarnations SET recovered = clock_timestamp()
WHERE recovered IS NULL AND number <= $1
"""
INCARNATIONS = """
SELECT i.number, i.id, i.began, i.reason, g.shard, g.restored, g.begins
FROM journal_incarnations i LEFT JOIN journal_gaps g USING (number) ORDER BY i.number, g.shard
"""

# The last entry of a shard, the incarnation, and whether this is the table in which it began.
_HEAD = (
    "SELECT s.shard, CASE s.last WHEN s.begins THEN s.restored ELSE s.last END, s.recorded, "
    "s.incarnation, s.made = s.tableoid"
)
HEADS = _HEAD + " FROM journal_shards s ORDER BY s.shard"
HEADS_AND_CURSORS = (
    _HEAD + ", l.cursor_sequence FROM journal_shards s JOIN journal_leases l USING (shard)"
)

# A row has an origin, or the columns after it: it was written by an older version then.
_ENTRY = (
    "SELECT sequence, recorded, source, id, subject, attributes, data, origin, type, client, "
    "publisher, contract_version, is_binary FROM journal_rows "
)
READ = _ENTRY + "WHERE shard = $1 AND sequence > $2 AND recorded >= $3 ORDER BY sequence LIMIT $4"
_TYPE = "coalesce(type, (SELECT o.type FROM journal_origins o WHERE o.number = origin))"
READ_TYPES = (
    _ENTRY + "WHERE shard = $1 AND sequence > $2 AND recorded >= $3 AND sequence <= $4 AND "
    f"{_TYPE} ~ $5 ORDER BY sequence LIMIT $6"
)
# The limit is never met; it keeps the planner from any other way than by the index of each shard.
TYPES_BETWEEN = """
SELECT DISTINCT u.shard, e.type
FROM unnest($1::smallint[], $2::bigint[], $3::timestamptz[], $4::bigint[])
     AS u(shard, low, recorded, high)
CROSS JOIN LATERAL (
    SELECT type FROM journal_entries e
    WHERE e.shard = u.shard AND e.sequence > u.low AND e.recorded >= u.recorded
      AND e.sequence <= u.high
    ORDER BY e.sequence LIMIT $5
) e
"""
ENTRY_AT = _ENTRY + "WHERE shard = $1 AND sequence = $2"
ENTRIES_AT = _ENTRY + "WHERE shard = $1 AND sequence = ANY ($2::bigint[])"
_POSITIONS = "SELECT sequence FROM journal_rows "
POSITIONS_WITH_TYPES = (
    _POSITIONS + f"WHERE shard = $1 AND sequence = ANY ($2::bigint[]) AND {_TYPE} ~ $3"
)
ENTRY_AT_TIME = ENTRY_AT + " AND recorded = $3"
ENTRIES_BY_IDENTITY = """
SELECT e.shard, e.sequence, e.recorded, e.source, e.id, e.subject, e.attributes, e.data, e.origin,
       e.type, e.client, e.publisher, e.contract_version, e.is_binary, i.identity
FROM journal_identities i
JOIN journal_rows e ON e.shard = i.shard AND e.sequence = i.sequence AND e.recorded = i.recorded
WHERE i.identity = ANY ($1::bytea[])
"""
RECORDED_UP_TO = """
SELECT recorded FROM journal_rows WHERE shard = $1 AND sequence <= $2
ORDER BY sequence DESC LIMIT 1
"""
ORIGINS = """
SELECT number, type, client, publisher, contract_version, is_binary, attributes
FROM journal_origins WHERE number = ANY ($1::bigint[])
"""
FLOORS = """
SELECT shard, max(sequence), max(recorded) FROM journal_floors WHERE type ~ $1 GROUP BY shard
"""
HEAD_OF = "SELECT last FROM journal_shards WHERE shard = $1"
# By sequence and not by type, for which there is no index: only recent entries are read.
RECENT_PUBLISHERS = """
SELECT e.publisher, max(e.recorded)
FROM journal_shards s
JOIN journal_entries e ON e.shard = s.shard
     AND e.sequence > CASE WHEN s.last - $2 < s.begins THEN s.restored - $2 + s.last - s.begins
                      ELSE s.last - $2 END
     AND e.recorded >= s.recorded - interval '90 days'
WHERE e.type = $1 GROUP BY e.publisher
"""
IDENTITY = "SELECT shard, sequence, recorded, digest FROM journal_identities WHERE identity = $1"
CURSOR = "SELECT cursor_sequence, returned FROM journal_leases WHERE shard = $1"
CURSORS = "SELECT shard, cursor_sequence FROM journal_leases"


READ_ONLY = "SELECT pg_is_in_recovery()"

CREATE_COMING_PARTITION = "SELECT journal_create_coming_partition($1)"
PARTITIONS = """
SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'journal_rows'::regclass
"""


HINT_CHANNEL = "journal"
HINT = "SELECT pg_notify('journal', '')"
DOUBT_CHANNEL = "journal_doubts"
DOUBT = "SELECT pg_notify('journal_doubts', '')"

REFUSE = """
INSERT INTO refusals (client, organisation, type, source, id, reason, detail, violations, digest)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[],
                     $7::text[], $8::text[], $9::bytea[])
"""
REFUSALS = """
SELECT number, recorded, client, organisation, type, source, id, reason, detail, violations, digest
FROM refusals
WHERE ($1::text IS NULL OR organisation = $1) AND number < $2
  AND ($3::text IS NULL OR type = $3) AND ($4::text IS NULL OR reason = $4)
ORDER BY number DESC LIMIT $5
"""

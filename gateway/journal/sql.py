"""All SQL of the journal: its tables, the append function, and every statement that touches them.

Invariants that the statements keep:

* A shard's counter row is locked until commit, so the order of sequences is the order in which
  entries become visible, and there are no gaps: whoever reads `sequence > n` misses nothing.
* `recorded` never runs backwards inside a shard, even if the clock does: a reader
  that knows the time of its cursor can leave older partitions unread.
* Every write of a relay names its epoch: that of a lead that was replaced does nothing.
"""

TABLES = """
CREATE TABLE control_revision (
    topic text PRIMARY KEY,
    revision bigint NOT NULL
) WITH (fillfactor = 50);
INSERT INTO control_revision VALUES ('identity', 0), ('contracts', 0), ('subscriptions', 0);

CREATE TABLE journal_shard (
    shard smallint PRIMARY KEY,
    last bigint NOT NULL DEFAULT 0,
    recorded timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 10, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);

CREATE TABLE journal_identity (
    identity bytea PRIMARY KEY,
    digest bytea NOT NULL,
    shard smallint NOT NULL,
    sequence bigint NOT NULL,
    recorded timestamptz NOT NULL
);

CREATE TABLE journal_entry (
    shard smallint NOT NULL,
    sequence bigint NOT NULL,
    recorded timestamptz NOT NULL,
    source text NOT NULL,
    id text NOT NULL,
    type text NOT NULL,
    subject text,
    attributes text NOT NULL,
    data bytea,
    is_binary boolean NOT NULL,
    digest bytea NOT NULL,
    client text NOT NULL,
    contract_version integer NOT NULL,
    PRIMARY KEY (shard, sequence, recorded)
) PARTITION BY RANGE (recorded);
CREATE TABLE journal_entry_default PARTITION OF journal_entry DEFAULT;

CREATE TABLE journal_lead (
    shard smallint PRIMARY KEY,
    epoch bigint NOT NULL DEFAULT 0,
    holder text,
    expires timestamptz NOT NULL DEFAULT '-infinity',
    cursor bigint NOT NULL DEFAULT 0,
    cursor_recorded timestamptz NOT NULL DEFAULT '-infinity',
    returned bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 10, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);

CREATE TABLE journal_relay (
    name text PRIMARY KEY,
    seen timestamptz NOT NULL
);
"""

# Five arrays and not one for each column, as the driver's work grows with their number: `p_fixed`
# is the identity (16 bytes), the digest (32) and whether the data are binary (1); `p_head` has id,
# source, type, subject, client and contract version, a line each: none may hold a line break.
# Rows with ord 0 tell, per shard, the number below the first new one; rows with ord n, that input n
# was stored before. New inputs take the numbers of their shard in the order of the input.
APPEND_FUNCTION = """
CREATE FUNCTION journal_append(
    p_shard smallint[], p_fixed bytea[], p_head text[], p_attributes text[], p_data bytea[]
) RETURNS TABLE (r_ord integer, r_shard smallint, r_sequence bigint, r_recorded timestamptz,
                 r_digest bytea)
LANGUAGE plpgsql AS $$
DECLARE
    v_now timestamptz;
BEGIN
    -- In the order of shards, so that two appends never wait for each other in a circle.
    PERFORM 1 FROM journal_shard s WHERE s.shard = ANY (p_shard) ORDER BY s.shard FOR UPDATE;
    v_now := clock_timestamp();
    -- A statement of its own: its snapshot is younger than the locks.
    RETURN QUERY
    WITH known AS MATERIALIZED (
        SELECT u.ord::integer AS ord, x.shard, x.sequence, x.recorded, x.digest
        FROM unnest(p_fixed) WITH ORDINALITY AS u(fixed, ord)
        JOIN journal_identity x ON x.identity = substr(u.fixed, 1, 16)
    ), fresh AS MATERIALIZED (
        SELECT u.shard, u.ord, u.attributes, u.data,
               substr(u.fixed, 1, 16) AS identity, substr(u.fixed, 17, 32) AS digest,
               get_byte(u.fixed, 48) = 1 AS is_binary,
               split_part(u.head, E'\n', 1) AS id, split_part(u.head, E'\n', 2) AS source,
               split_part(u.head, E'\n', 3) AS type,
               nullif(split_part(u.head, E'\n', 4), '') AS subject,
               split_part(u.head, E'\n', 5) AS client,
               split_part(u.head, E'\n', 6)::integer AS contract_version,
               greatest(s.recorded, v_now) AS recorded,
               s.last + row_number() OVER (PARTITION BY u.shard ORDER BY u.ord) AS sequence
        FROM unnest(p_shard, p_fixed, p_head, p_attributes, p_data)
             WITH ORDINALITY AS u(shard, fixed, head, attributes, data, ord)
        JOIN journal_shard s ON s.shard = u.shard
        WHERE NOT EXISTS (SELECT FROM known k WHERE k.ord = u.ord)
    ), identities AS (
        -- Sorted, so that two appends with common identities in other shards cannot deadlock.
        INSERT INTO journal_identity (identity, digest, shard, sequence, recorded)
        SELECT f.identity, f.digest, f.shard, f.sequence, f.recorded FROM fresh f
        ORDER BY f.identity
    ), entries AS (
        INSERT INTO journal_entry (shard, sequence, recorded, source, id, type, subject,
                                   attributes, data, is_binary, digest, client, contract_version)
        SELECT f.shard, f.sequence, f.recorded, f.source, f.id, f.type, f.subject, f.attributes,
               f.data, f.is_binary, f.digest, f.client, f.contract_version
        FROM fresh f
    ), moved AS (
        UPDATE journal_shard s SET last = s.last + c.n, recorded = c.recorded
        FROM (SELECT f.shard, count(*) AS n, max(f.recorded) AS recorded
              FROM fresh f GROUP BY f.shard) c
        WHERE s.shard = c.shard
        RETURNING s.shard, s.last - c.n AS base, s.recorded
    )
    SELECT 0, m.shard, m.base, m.recorded, NULL::bytea FROM moved m
    UNION ALL SELECT k.ord, k.shard, k.sequence, k.recorded, k.digest FROM known k;
END $$;
"""

MAKE_SHARDS = """
INSERT INTO journal_shard (shard) SELECT generate_series(0, $1::integer - 1)
WHERE NOT EXISTS (SELECT FROM journal_shard)
"""
MAKE_LEADS = (
    "INSERT INTO journal_lead (shard) SELECT shard FROM journal_shard ON CONFLICT DO NOTHING"
)

APPEND = (
    "SELECT r_ord, r_shard, r_sequence, r_recorded, r_digest "
    "FROM journal_append($1, $2, $3, $4, $5)"
)

HEADS = "SELECT shard, last, recorded FROM journal_shard ORDER BY shard"
BACKLOG = """
SELECT coalesce(sum(s.last - l.cursor), 0)::bigint
FROM journal_shard s JOIN journal_lead l USING (shard)
"""

_ENTRY = (
    "SELECT sequence, recorded, source, id, type, subject, attributes, data, is_binary, digest, "
    "client, contract_version FROM journal_entry "
)
READ = _ENTRY + "WHERE shard = $1 AND sequence > $2 AND recorded >= $3 ORDER BY sequence LIMIT $4"
READ_TYPES = (
    _ENTRY
    + "WHERE shard = $1 AND sequence > $2 AND recorded >= $3 AND sequence <= $4 AND type ~ $5 "
    "ORDER BY sequence LIMIT $6"
)
# The limit is never met; it keeps the planner from any other way than by the index of each shard.
TYPES_BETWEEN = """
SELECT DISTINCT e.type
FROM unnest($1::smallint[], $2::bigint[], $3::timestamptz[], $4::bigint[])
     AS u(shard, low, recorded, high)
CROSS JOIN LATERAL (
    SELECT type FROM journal_entry e
    WHERE e.shard = u.shard AND e.sequence > u.low AND e.recorded >= u.recorded
      AND e.sequence <= u.high
    ORDER BY e.sequence LIMIT $5
) e
"""
ENTRY_AT = _ENTRY + "WHERE shard = $1 AND sequence = $2"
ENTRIES_AT = _ENTRY + "WHERE shard = $1 AND sequence = ANY ($2::bigint[])"
PLACES_OF = (
    "SELECT sequence FROM journal_entry WHERE shard = $1 AND sequence = ANY ($2::bigint[]) "
    "AND type ~ $3"
)
ENTRY_AT_TIME = ENTRY_AT + " AND recorded = $3"
HOLDING = """
SELECT e.shard, e.sequence, e.recorded, e.source, e.id, e.type, e.subject, e.attributes, e.data,
       e.is_binary, e.digest, e.client, e.contract_version, i.identity
FROM journal_identity i
JOIN journal_entry e ON e.shard = i.shard AND e.sequence = i.sequence AND e.recorded = i.recorded
WHERE i.identity = ANY ($1::bytea[])
"""
RECORDED_AT = "SELECT recorded FROM journal_entry WHERE shard = $1 AND sequence = $2"
# By place and not by type, for which there is no index: what lies far back is not looked at.
SENDERS = """
SELECT e.client, max(e.recorded)
FROM journal_shard s
JOIN journal_entry e ON e.shard = s.shard AND e.sequence > s.last - $2
     AND e.recorded >= s.recorded - interval '90 days'
WHERE e.type = $1 GROUP BY e.client
"""
IDENTITY = "SELECT shard, sequence, recorded, digest FROM journal_identity WHERE identity = $1"
CURSOR = "SELECT cursor, returned FROM journal_lead WHERE shard = $1"
CURSORS = "SELECT shard, cursor FROM journal_lead"

# A lease and not a session's advisory lock: a relay that is stopped, or cut off without a reset,
# would keep a session lock for as long as its connection seems alive.
LEAD = """
UPDATE journal_lead SET epoch = epoch + 1, holder = $2,
       expires = clock_timestamp() + make_interval(secs => $3)
WHERE shard = $1 AND expires < clock_timestamp()
RETURNING epoch, cursor, cursor_recorded
"""
LEADABLE = """
SELECT shard FROM journal_lead WHERE expires < clock_timestamp() ORDER BY random()
"""
# The holder is asked for as well: a write that arrives after its relay has resigned would prolong
# a lease that nobody holds.
ADVANCE = """
UPDATE journal_lead l
SET cursor = greatest(l.cursor, u.cursor), returned = l.returned + u.returned,
    cursor_recorded = CASE WHEN u.cursor > l.cursor THEN u.recorded ELSE l.cursor_recorded END,
    expires = clock_timestamp() + make_interval(secs => $6)
FROM unnest($1::smallint[], $2::bigint[], $3::bigint[], $4::timestamptz[], $5::bigint[])
     AS u(shard, epoch, cursor, recorded, returned)
WHERE l.shard = u.shard AND l.epoch = u.epoch AND l.holder IS NOT NULL
RETURNING l.shard
"""
RESIGN = """
UPDATE journal_lead SET expires = '-infinity', holder = NULL WHERE shard = $1 AND epoch = $2
"""
ATTEND = """
INSERT INTO journal_relay (name, seen) VALUES ($1, clock_timestamp())
ON CONFLICT (name) DO UPDATE SET seen = excluded.seen
"""
ATTENDING = """
SELECT count(*) FROM journal_relay WHERE seen > clock_timestamp() - make_interval(secs => $1)
"""
LEAVE = "DELETE FROM journal_relay WHERE name = $1 OR seen < clock_timestamp() - interval '1 hour'"

READ_ONLY = "SELECT pg_is_in_recovery()"

PARTITIONS = """
SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = 'journal_entry'::regclass
"""

# Holds the lead's row until the transaction ends, so that nobody takes the shard over meanwhile.
FENCE = "SELECT 1 FROM journal_lead WHERE shard = :shard AND epoch = :epoch FOR SHARE"

HINT_CHANNEL = "journal"
HINT = "SELECT pg_notify('journal', '')"

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

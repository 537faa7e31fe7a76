"""The SQL of deliveries: open deliveries, cursors, settlements, rates.

Each journal-delivered subscription has a cursor in each shard: every entry up to it that the
subscription receives is settled or has a row in `delivery_open`. Rows are for exceptions only, so
a subscription that is far behind costs no more than one that is not.
"""

BEGIN = """
INSERT INTO delivery_cursors (organisation, name, shard, start, sequence)
VALUES (:organisation, :name, :shard, :start, :start)
"""
CURSORS = """
SELECT shard, sequence, recorded FROM delivery_cursors WHERE organisation = $1 AND name = $2
"""
SUMMED_CURSORS = """
SELECT organisation, name, sum(sequence) FROM delivery_cursors
JOIN unnest($1::text[], $2::text[]) AS u(organisation, name) USING (organisation, name)
GROUP BY organisation, name
"""
COUNT_OPEN = "SELECT count(*) FROM delivery_open WHERE organisation = $1 AND name = $2"

SETTLED_UP_TO = """
SELECT f.shard, coalesce(min(o.sequence) - 1, f.sequence)
FROM delivery_cursors f LEFT JOIN delivery_open o USING (organisation, name, shard)
WHERE f.organisation = $1 AND f.name = $2 GROUP BY f.shard, f.sequence
"""

RECORDS = """
SELECT s.organisation, s.name, o.attempts, o.due, o.lock IS NOT NULL, f.sequence,
       d.state, d.failure, d.changed, e.settlement, e.at
FROM unnest($3::text[], $4::text[]) AS s(organisation, name)
LEFT JOIN delivery_cursors f
  ON f.organisation = s.organisation AND f.name = s.name AND f.shard = $1
LEFT JOIN delivery_open o
  ON o.organisation = s.organisation AND o.name = s.name AND o.shard = $1 AND o.sequence = $2
LEFT JOIN LATERAL (
    SELECT state, failure, changed FROM dead_letters
    WHERE organisation = s.organisation AND name = s.name AND shard = $1 AND sequence = $2
    ORDER BY number DESC LIMIT 1
) d ON true
LEFT JOIN LATERAL (
    SELECT settlement, at FROM delivery_settlements
    WHERE organisation = s.organisation AND name = s.name AND shard = $1
      AND highest >= $2 AND lowest <= $2 AND ($2 = ANY (sequences) OR settlement = 'skipped')
    ORDER BY settlement = 'skipped', at DESC LIMIT 1
) e ON true
"""
# Only from the cursor that was read: of two that advance at the same time, one changes nothing.
ADVANCE = """
UPDATE delivery_cursors SET sequence = $5, recorded = $6
WHERE organisation = $1 AND name = $2 AND shard = $3 AND sequence = $4
RETURNING shard
"""
MOVE = """
UPDATE delivery_cursors f SET sequence = u.after, recorded = u.recorded
FROM unnest($3::smallint[], $4::bigint[], $5::bigint[], $6::timestamptz[])
     AS u(shard, before, after, recorded)
WHERE f.organisation = $1 AND f.name = $2 AND f.shard = u.shard AND f.sequence = u.before
"""
# What is skipped is stored as a range without sequences. A delivery of that range that was settled
# before has a row of its own.
SEEK = """
WITH gone AS (
    DELETE FROM delivery_open
    WHERE organisation = $1 AND name = $2 AND (shard < 0 OR shard = ANY ($3::smallint[]))
    RETURNING shard, sequence
), skipped AS (
    INSERT INTO delivery_settlements (organisation, name, shard, lowest, highest, sequences,
                                      settlement)
    SELECT $1, $2, shard, lowest, u.sequence, '{}', 'skipped'
    FROM unnest($3::smallint[], $4::bigint[]) AS u(shard, sequence)
    JOIN (SELECT f.shard, coalesce(min(g.sequence), f.sequence + 1) AS lowest
          FROM delivery_cursors f LEFT JOIN gone g USING (shard)
          WHERE f.organisation = $1 AND f.name = $2 GROUP BY f.shard, f.sequence) l USING (shard)
    WHERE lowest <= u.sequence
)
UPDATE delivery_cursors f SET sequence = u.sequence, recorded = '-infinity'
FROM unnest($3::smallint[], $4::bigint[]) AS u(shard, sequence)
WHERE f.organisation = $1 AND f.name = $2 AND f.shard = u.shard
"""
RECORD_DELIVERED = """
UPDATE delivery_cursors f SET sequence = greatest(f.sequence, u.sequence)
FROM unnest($3::smallint[], $4::bigint[]) AS u(shard, sequence)
WHERE f.organisation = $1 AND f.name = $2 AND f.shard = u.shard
"""
OPEN = """
INSERT INTO delivery_open (organisation, name, shard, sequence, recorded, type, ordering_key, due)
SELECT $1, $2, u.shard, u.sequence, u.recorded, u.type, u.ordering_key, clock_timestamp()
FROM unnest($3::smallint[], $4::bigint[], $5::timestamptz[], $6::text[], $7::text[])
     AS u(shard, sequence, recorded, type, ordering_key)
"""

# Due deliveries: never locked, released, or with an expired lock. Of one ordering key only the
# first open delivery can be locked, whatever it waits for. `OFFSET 0`: see `due_sql`.
LOCK = """
WITH due AS (
    SELECT o.shard, o.sequence, o.lock IS NOT NULL AS lapsed
    FROM delivery_open o
    WHERE o.organisation = $1 AND o.name = $2 AND o.due <= statement_timestamp()
      AND (o.ordering_key = '' OR NOT EXISTS (
          SELECT FROM delivery_open p
          WHERE p.organisation = $1 AND p.name = $2 AND p.ordering_key = o.ordering_key
            AND p.shard = o.shard AND p.sequence < o.sequence OFFSET 0))
    ORDER BY o.due, o.shard, o.sequence LIMIT $3
    FOR UPDATE SKIP LOCKED
), lapsed AS (
    INSERT INTO delivery_attempts (organisation, name, shard, sequence, number, failure, detail)
    SELECT $1, $2, o.shard, o.sequence, o.attempts, 'lock-expired', 'the lock expired'
    FROM due d JOIN delivery_open o
      ON o.organisation = $1 AND o.name = $2 AND o.shard = d.shard AND o.sequence = d.sequence
    WHERE d.lapsed
)
UPDATE delivery_open o
SET attempts = o.attempts + 1, lock = $4, due = clock_timestamp() + make_interval(secs => $5)
FROM due d
WHERE o.organisation = $1 AND o.name = $2 AND o.shard = d.shard AND o.sequence = d.sequence
RETURNING o.shard, o.sequence, o.recorded, o.attempts, o.due, coalesce(o.redriven, o.recorded)
"""
# Deliveries that were released or whose lock expired after the last attempt.
DEAD_LETTER_EXHAUSTED = """
WITH gone AS (
    DELETE FROM delivery_open
    WHERE organisation = $1 AND name = $2 AND attempts >= $3
      AND (lock IS NULL OR due <= statement_timestamp())
    RETURNING shard, sequence, recorded, type, ordering_key, attempts, lock IS NOT NULL AS lapsed
), noted AS (
    INSERT INTO delivery_attempts (organisation, name, shard, sequence, number, failure, detail)
    SELECT $1, $2, shard, sequence, attempts, 'lock-expired', 'the lock expired'
    FROM gone WHERE lapsed
)
INSERT INTO dead_letters (organisation, name, shard, sequence, recorded, type, ordering_key,
                          failure, detail, attempts)
SELECT $1, $2, g.shard, g.sequence, g.recorded, g.type, g.ordering_key,
       coalesce(a.failure, 'lock-expired'), coalesce(a.detail, 'the lock expired'),
       g.attempts
FROM gone g LEFT JOIN LATERAL (
    SELECT failure, detail FROM delivery_attempts a
    WHERE a.organisation = $1 AND a.name = $2 AND a.shard = g.shard AND a.sequence = g.sequence
      AND NOT g.lapsed
    ORDER BY number DESC LIMIT 1
) a ON true
WHERE g.shard >= 0
ON CONFLICT DO NOTHING
"""
_CLAIMED = """
    FROM unnest($3::smallint[], $4::bigint[], $5::bytea[]) AS u(shard, sequence, lock)
    WHERE o.organisation = $1 AND o.name = $2 AND o.shard = u.shard AND o.sequence = u.sequence
      AND o.lock = u.lock
"""
ACKNOWLEDGE = """
WITH gone AS (
    DELETE FROM delivery_open o USING unnest($3::smallint[], $4::bigint[], $5::bytea[])
                                      AS u(shard, sequence, lock)
    WHERE o.organisation = $1 AND o.name = $2 AND o.shard = u.shard AND o.sequence = u.sequence
      AND o.lock = u.lock
    RETURNING o.shard, o.sequence, u.lock
), noted AS (
    INSERT INTO delivery_settlements (organisation, name, shard, lowest, highest, sequences,
                                      settlement)
    SELECT $1, $2, shard, min(sequence), max(sequence), array_agg(sequence ORDER BY sequence),
           'acknowledged'
    FROM gone GROUP BY shard
)
SELECT shard, sequence, lock FROM gone
"""
EXPIRE = ACKNOWLEDGE.replace("'acknowledged'", "'expired'")
RELEASE = f"""
WITH back AS (
    UPDATE delivery_open o SET lock = NULL, due = clock_timestamp() + make_interval(secs => $6)
    {_CLAIMED}
    RETURNING o.shard, o.sequence, o.attempts, u.lock
), noted AS (
    INSERT INTO delivery_attempts (organisation, name, shard, sequence, number, failure, detail)
    SELECT $1, $2, shard, sequence, attempts, $7, $8 FROM back
)
SELECT shard, sequence, lock FROM back
"""  # noqa: S608
RENEW = f"""
UPDATE delivery_open o SET due = clock_timestamp() + make_interval(secs => $6)
{_CLAIMED}
RETURNING o.shard, o.sequence, u.lock
"""  # noqa: S608
REJECT = """
WITH gone AS (
    DELETE FROM delivery_open o USING unnest($3::smallint[], $4::bigint[], $5::bytea[])
                                      AS u(shard, sequence, lock)
    WHERE o.organisation = $1 AND o.name = $2 AND o.shard = u.shard AND o.sequence = u.sequence
      AND o.lock = u.lock
    RETURNING o.shard, o.sequence, o.recorded, o.type, o.ordering_key, o.attempts, u.lock
), noted AS (
    INSERT INTO delivery_attempts (organisation, name, shard, sequence, number, failure, detail)
    SELECT $1, $2, shard, sequence, attempts, $6, $7 FROM gone
), dead AS (
    INSERT INTO dead_letters (organisation, name, shard, sequence, recorded, type, ordering_key,
                              failure, detail, attempts)
    SELECT $1, $2, shard, sequence, recorded, type, ordering_key, $6, $7, attempts FROM gone
    WHERE shard >= 0
    ON CONFLICT DO NOTHING
)
SELECT shard, sequence, lock FROM gone
"""
BEGIN_BUCKET = """
INSERT INTO delivery_rates (organisation, name, tokens, at)
VALUES ($1, $2, $3, clock_timestamp()) ON CONFLICT DO NOTHING
"""
# Locks the row until the transaction ends, so that processes share the tokens.
READ_BUCKET = """
SELECT tokens, extract(epoch FROM now - at)::float8, now
FROM (SELECT tokens, at, clock_timestamp() AS now FROM delivery_rates
      WHERE organisation = $1 AND name = $2 FOR UPDATE) p
"""
SPEND = """
UPDATE delivery_rates SET tokens = $3, at = $4 WHERE organisation = $1 AND name = $2
"""
# One transaction of a subscription at a time. Two subscriptions whose numbers are equal by chance
# only wait for each other.
LOCK_SUBSCRIPTION = "SELECT pg_advisory_xact_lock(hashtextextended($1 || '/' || $2, 7301924))"
COUNT_OPEN_UP_TO = """
SELECT count(*) FROM (
    SELECT FROM delivery_open WHERE organisation = $1 AND name = $2 LIMIT $3
) o
"""
# Open deliveries that are too old; the age of a redriven one counts from its redrive. A locked one
# stays until its lock expires, and one that another transaction settles now is left to it.
DEAD_LETTER_EXPIRED = """
WITH gone AS (
    DELETE FROM delivery_open o USING (
        SELECT shard, sequence FROM delivery_open
        WHERE organisation = $1 AND name = $2
          AND coalesce(redriven, recorded) < clock_timestamp() - make_interval(secs => $3)
          AND (lock IS NULL OR due <= clock_timestamp())
        FOR UPDATE SKIP LOCKED
    ) old
    WHERE o.organisation = $1 AND o.name = $2 AND o.shard = old.shard
      AND o.sequence = old.sequence
    RETURNING o.shard, o.sequence, o.recorded, o.type, o.ordering_key, o.attempts,
              o.lock IS NOT NULL AS lapsed
), noted AS (
    INSERT INTO delivery_attempts (organisation, name, shard, sequence, number, failure, detail)
    SELECT $1, $2, shard, sequence, attempts, 'lock-expired', 'the lock expired'
    FROM gone WHERE lapsed
)
INSERT INTO dead_letters (organisation, name, shard, sequence, recorded, type, ordering_key,
                          failure, detail, attempts)
SELECT $1, $2, shard, sequence, recorded, type, ordering_key, 'expired', $4, attempts
FROM gone WHERE shard >= 0
ON CONFLICT DO NOTHING
"""
INSERT_DEAD_LETTERS = """
INSERT INTO dead_letters (organisation, name, shard, sequence, recorded, type, ordering_key,
                          failure, detail, attempts)
SELECT $1, $2, u.shard, u.sequence, u.recorded, u.type, u.ordering_key, u.failure, u.detail,
       u.attempts
FROM unnest($3::smallint[], $4::bigint[], $5::timestamptz[], $6::text[], $7::text[], $8::text[],
            $9::text[], $10::int[])
     AS u(shard, sequence, recorded, type, ordering_key, failure, detail, attempts)
ON CONFLICT DO NOTHING
"""
# A test event is an open delivery whose shard is not in the journal.
OPEN_TEST_EVENT = """
INSERT INTO delivery_open (organisation, name, shard, sequence, recorded, type, ordering_key, due)
SELECT $1, $2, $3, $4, clock_timestamp(), $5, '', clock_timestamp()
WHERE (SELECT count(*) FROM delivery_open
       WHERE organisation = $1 AND name = $2 AND shard = $3) < $6
RETURNING sequence
"""
# Only new sequences: a repeated report writes nothing. Rows that may contain any of them are
# unnested once, not searched for each sequence.
RECORD_ACKNOWLEDGED = """
WITH given AS (
    SELECT DISTINCT shard, sequence
    FROM unnest($3::smallint[], $4::bigint[]) AS u(shard, sequence)
), known AS (
    SELECT s.shard, q.sequence
    FROM (SELECT shard, min(sequence) AS lowest, max(sequence) AS highest
          FROM given GROUP BY shard) g
    JOIN delivery_settlements s
      ON s.organisation = $1 AND s.name = $2 AND s.shard = g.shard
     AND s.highest >= g.lowest AND s.lowest <= g.highest AND s.settlement = 'acknowledged',
    LATERAL unnest(s.sequences) AS q(sequence)
)
INSERT INTO delivery_settlements (organisation, name, shard, lowest, highest, sequences, settlement)
SELECT $1, $2, shard, min(sequence), max(sequence), array_agg(sequence ORDER BY sequence),
       'acknowledged'
FROM given WHERE NOT EXISTS (
    SELECT FROM known k WHERE k.shard = given.shard AND k.sequence = given.sequence)
GROUP BY shard
"""

"""The statements that keep the limits of a subscription: age, rate, and what is open at once."""

# A bucket of what may be handed out: `left` at the time `at`, filling up with the rate.
TABLES = """
CREATE TABLE delivery_paces (
    organisation text NOT NULL,
    name text NOT NULL,
    tokens double precision NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (organisation, name),
    FOREIGN KEY (organisation, name) REFERENCES subscriptions ON DELETE CASCADE
) WITH (fillfactor = 50);
"""

BEGIN_PACE = """
INSERT INTO delivery_paces (organisation, name, tokens, at)
VALUES ($1, $2, $3, clock_timestamp()) ON CONFLICT DO NOTHING
"""
# Holds the row until the transaction ends, so that two that hand out at once share what is left.
ALLOWED = """
SELECT least($4::float8, tokens + extract(epoch FROM now - at)::float8 * $3::float8), now
FROM (SELECT tokens, at, clock_timestamp() AS now FROM delivery_paces
      WHERE organisation = $1 AND name = $2 FOR UPDATE) p
"""
SPEND = """
UPDATE delivery_paces SET tokens = $3, at = $4 WHERE organisation = $1 AND name = $2
"""

# Of one subscription one at a time, until the transaction ends; two that share a number by chance
# only wait for each other.
TAKE_TURN = "SELECT pg_advisory_xact_lock(hashtextextended($1 || '/' || $2, 7301924))"
OPEN_UP_TO = """
SELECT count(*) FROM (
    SELECT FROM delivery_open WHERE organisation = $1 AND name = $2 LIMIT $3
) o
"""

# What was open for too long, or was recorded too long ago. What somebody sent again counts from
# that moment. What a receiver holds stays until its lock ends, and what somebody else settles in
# this moment is left to them.
BURY_OLD = """
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
    RETURNING o.shard, o.sequence, o.recorded, o.type, o.ordering, o.attempts,
              o.lock IS NOT NULL AS lapsed
), noted AS (
    INSERT INTO delivery_attempts (organisation, name, shard, sequence, number, failure, detail)
    SELECT $1, $2, shard, sequence, attempts, 'lock-expired', 'nothing was said in time'
    FROM gone WHERE lapsed
)
INSERT INTO dead_letters (organisation, name, shard, sequence, recorded, type, ordering, failure,
                          detail, attempts)
SELECT $1, $2, shard, sequence, recorded, type, ordering, 'expired', $4, attempts
FROM gone WHERE shard >= 0
ON CONFLICT DO NOTHING
"""
BURY_FRESH = """
INSERT INTO dead_letters (organisation, name, shard, sequence, recorded, type, ordering, failure,
                          detail, attempts)
SELECT $1, $2, u.shard, u.sequence, u.recorded, u.type, u.ordering, u.failure, u.detail, u.attempts
FROM unnest($3::smallint[], $4::bigint[], $5::timestamptz[], $6::text[], $7::text[], $8::text[],
            $9::text[], $10::int[])
     AS u(shard, sequence, recorded, type, ordering, failure, detail, attempts)
ON CONFLICT DO NOTHING
"""

# A test event is an open delivery of no shard.
OPEN_TRIAL = """
INSERT INTO delivery_open (organisation, name, shard, sequence, recorded, type, ordering, due)
SELECT $1, $2, $3, $4, clock_timestamp(), $5, '', clock_timestamp()
WHERE (SELECT count(*) FROM delivery_open
       WHERE organisation = $1 AND name = $2 AND shard = $3) < $6
RETURNING sequence
"""

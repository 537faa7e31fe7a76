"""The SQL of dead letters."""

# From RabbitMQ: messages that a queue dead-lettered. After a repair a message may come again and
# expire; if its consumer reported it as acknowledged, it is not a dead letter.
ADD = """
WITH given AS (
    SELECT * FROM unnest($1::text[], $2::text[], $3::smallint[], $4::bigint[], $5::timestamptz[],
                         $6::text[], $7::text[], $8::text[], $9::integer[])
         AS u(organisation, name, shard, sequence, recorded, type, failure, detail, attempts)
    WHERE failure <> 'expired' OR NOT EXISTS (
        SELECT FROM delivery_settlements s
        WHERE s.organisation = u.organisation AND s.name = u.name AND s.shard = u.shard
          AND s.highest >= u.sequence AND s.lowest <= u.sequence
          AND u.sequence = ANY (s.sequences) AND s.settlement = 'acknowledged')
), noted AS (
    INSERT INTO delivery_attempts (organisation, name, shard, sequence, number, failure, detail)
    SELECT organisation, name, shard, sequence, attempts, failure, detail FROM given
    WHERE attempts > 0
)
INSERT INTO dead_letters (organisation, name, shard, sequence, recorded, type, failure, detail,
                          attempts)
SELECT DISTINCT ON (organisation, name, shard, sequence)
       organisation, name, shard, sequence, recorded, type, failure, detail, attempts
FROM given  -- may contain a message twice, as a queue may
ORDER BY organisation, name, shard, sequence, attempts DESC
ON CONFLICT (organisation, name, shard, sequence) WHERE state = 'dead'
    DO UPDATE SET changed = clock_timestamp()
"""
FORGET = "SELECT delivery_forget()"
SET_RETENTION = "UPDATE delivery_retention SET days = $1"
_SELECT = """
SELECT number, organisation, name, shard, sequence, recorded, type, died, failure, detail, attempts,
       state, changed, changed_by, note, publisher, source, event_id, trace_id, key, resent_shard,
       resent_sequence, seen, seen_by, report_shard, report_sequence
FROM dead_letters
"""
# The parameters are the fields of DeadLetterQuery, from $2 on.
MATCHES = """
($2::text IS NULL AND $3::text IS NULL OR organisation = $2 OR publisher = $3)
  AND ($4::text IS NULL OR organisation = $4) AND ($5::text IS NULL OR name = $5)
  AND ($6::text IS NULL OR type = $6) AND ($7::text IS NULL OR failure = $7)
  AND ($8::text IS NULL OR state = $8) AND ($9::timestamptz IS NULL OR died >= $9)
  AND ($10::timestamptz IS NULL OR died < $10) AND ($11::text IS NULL OR event_id = $11)
  AND ($12::text IS NULL OR source = $12) AND ($13::text IS NULL OR trace_id = $13)
  AND (NOT $14::boolean OR state = 'dead' AND seen IS NULL)
"""
PAGE = f"{_SELECT} WHERE number > $1 AND {MATCHES} ORDER BY number LIMIT $15"
ONE = _SELECT + "WHERE number = $1"
ATTEMPTS = """
SELECT number, at, failure, detail FROM delivery_attempts
WHERE organisation = $1 AND name = $2 AND shard = $3 AND sequence = $4 ORDER BY at LIMIT 200
"""
SEE = """
UPDATE dead_letters SET seen = clock_timestamp(), seen_by = $2
WHERE number = $1 AND seen IS NULL
RETURNING seen
"""
UNSEEN = """
SELECT organisation, name, count(*), min(died) FROM dead_letters
WHERE state = 'dead' AND seen IS NULL GROUP BY organisation, name
"""
ALERT = """
WITH alerted AS (
    UPDATE dead_letters SET alerted = true
    WHERE number IN (
        SELECT number FROM dead_letters
        WHERE state = 'dead' AND seen IS NULL AND NOT alerted
          AND died <= clock_timestamp() - make_interval(secs => $1)
        ORDER BY died LIMIT $2)
    RETURNING organisation, name, died
)
SELECT organisation, name, count(*), min(died) FROM alerted GROUP BY organisation, name
"""
# One second after they died: by then the reporter has read the newest contracts.
UNREPORTED = f"""
{_SELECT} WHERE report = 'open' AND died < clock_timestamp() - interval '1 second'
ORDER BY number LIMIT $1
"""
REPORTED = """
UPDATE dead_letters d
SET report = u.report, report_shard = u.shard, report_sequence = u.sequence
FROM unnest($1::bigint[], $2::text[], $3::smallint[], $4::bigint[])
     AS u(number, report, shard, sequence)
WHERE d.number = u.number AND d.report = 'open'
"""
CHANGE = """
UPDATE dead_letters SET state = $2, changed = clock_timestamp(), changed_by = $3, note = $4
WHERE number = ANY ($1::bigint[]) AND state = 'dead'
RETURNING number
"""
REDRIVEN = """
UPDATE dead_letters d SET state = 'redriven', changed = clock_timestamp(), changed_by = $3
FROM unnest($1::bigint[], $2::timestamptz[]) AS u(number, changed)
WHERE d.number = u.number AND d.changed = u.changed AND d.state = 'dead'
RETURNING d.number
"""
# The foreign key of delivery_open keeps the subscription until this is committed, and fails where
# it has ended.
REOPEN = """
WITH again AS (
    UPDATE dead_letters SET state = 'redriven', changed = clock_timestamp(), changed_by = $2
    WHERE number = ANY ($1::bigint[]) AND state = 'dead'
    RETURNING number, organisation, name, shard, sequence, recorded, type, ordering_key
), opened AS (
    INSERT INTO delivery_open (organisation, name, shard, sequence, recorded, type, ordering_key,
                               due, redriven)
    SELECT organisation, name, shard, sequence, recorded, type, ordering_key, clock_timestamp(),
           clock_timestamp()
    FROM again
    ON CONFLICT DO NOTHING
)
SELECT number FROM again
"""
# The corrected event is linked in any state, but only a dead letter that is dead ends by it.
RESENT = """
UPDATE dead_letters
SET resent_shard = $3, resent_sequence = $4,
    state = CASE state WHEN 'dead' THEN 'resent' ELSE state END,
    changed = CASE state WHEN 'dead' THEN clock_timestamp() ELSE changed END,
    changed_by = CASE state WHEN 'dead' THEN $2 ELSE changed_by END
WHERE number = $1 AND resent_sequence IS NULL
RETURNING state
"""
SETTLE = """
INSERT INTO delivery_settlements (organisation, name, shard, lowest, highest, sequences, settlement)
SELECT organisation, name, shard, sequence, sequence, ARRAY[sequence], $2
FROM dead_letters WHERE number = ANY ($1::bigint[])
"""

"""What the consumers of queues report: one row for each shard of a report."""

# Only what is new: a report that comes again writes nothing. The rows that could hold any of it are
# unnested once, and not looked through for each sequence.
REPORT = """
WITH given AS (
    SELECT DISTINCT shard, sequence
    FROM unnest($3::smallint[], $4::bigint[]) AS u(shard, sequence)
), known AS (
    SELECT s.shard, q.sequence
    FROM (SELECT shard, min(sequence) AS lowest, max(sequence) AS highest
          FROM given GROUP BY shard) g
    JOIN delivery_settled s
      ON s.organisation = $1 AND s.name = $2 AND s.shard = g.shard
     AND s.highest >= g.lowest AND s.lowest <= g.highest AND s.ending = 'acknowledged',
    LATERAL unnest(s.sequences) AS q(sequence)
)
INSERT INTO delivery_settled (organisation, name, shard, lowest, highest, sequences, ending)
SELECT $1, $2, shard, min(sequence), max(sequence), array_agg(sequence ORDER BY sequence),
       'acknowledged'
FROM given WHERE NOT EXISTS (
    SELECT FROM known k WHERE k.shard = given.shard AND k.sequence = given.sequence)
GROUP BY shard
"""

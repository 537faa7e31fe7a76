"""The SQL that finds the subscriptions with deliveries that are due.

Subscriptions with open deliveries are few, so they are found first: one step of the index for each
of them, however many subscriptions there are and deliveries they have. The time is that of the
statement, because an index cannot be used with a time that changes meanwhile.

`OFFSET 0` keeps a condition a look for each row. Otherwise the planner may join the whole table
where it takes it for small, and the order by `due` is that of the one index that serves.
"""

_OPEN = """
WITH RECURSIVE open AS (
    (SELECT organisation, name FROM delivery_open ORDER BY organisation, name LIMIT 1)
    UNION ALL
    SELECT n.organisation, n.name FROM open o CROSS JOIN LATERAL (
        SELECT organisation, name FROM delivery_open
        WHERE (organisation, name) > (o.organisation, o.name)
        ORDER BY organisation, name LIMIT 1
    ) n
)
SELECT u.organisation, u.name FROM open u
WHERE EXISTS (
    SELECT FROM delivery_open o
    WHERE o.organisation = u.organisation AND o.name = u.name AND o.due <= statement_timestamp()
"""
_FIRST = " ORDER BY o.due LIMIT 1 OFFSET 0)"
TO_DISPATCH = _OPEN + _FIRST
TO_LOCK = (
    _OPEN
    + """
      AND (o.ordering_key = '' OR NOT EXISTS (
          SELECT FROM delivery_open p
          WHERE p.organisation = u.organisation AND p.name = u.name
            AND p.ordering_key = o.ordering_key AND p.shard = o.shard AND p.sequence < o.sequence
          OFFSET 0))"""
    + _FIRST
)
"""Those for which LOCK would return deliveries."""

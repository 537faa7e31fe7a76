-- What `python -m gateway retention` calls, again and again, as a member of `nusabus_retention`. Every
-- function decides by itself what has expired, from the contracts and the clock: its caller chooses
-- neither a type nor an age, only how much is done in one transaction (decision 0032).
--
-- Partitions are of a month. A month that has ended is counted once. When types in it have expired, the
-- rest is copied, in steps, and the copy takes its place; where nothing is left, it just goes. The
-- journal is only added to, so what is copied cannot change meanwhile, and no row is ever deleted.

-- Whether a subscription to `p_pattern` gets events of a type, as gateway/base/type_pattern.py says.
CREATE FUNCTION type_matches(p_pattern text, p_type text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
    SELECT (p_pattern LIKE '%.reply') = (p_type LIKE '%.reply')
        AND p_type ~ ('^' || replace(regexp_replace(replace(p_pattern, '.', '\.'), '\*$', '.+'),
                                     '*', '[^.]+') || '$')
$$;

CREATE FUNCTION retention_partition(p_month date) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT to_char(p_month, '"journal_entries_"YYYY_MM')
$$;

-- One run at a time, whoever calls. The lock ends with the transaction, so nobody can lose it.
CREATE FUNCTION retention_alone() RETURNS void LANGUAGE sql AS $$
    SELECT pg_advisory_xact_lock(1853190498)
$$;

-- Count the next entries of a month that has ended; false where all is counted.
CREATE FUNCTION retention_count(p_entries integer) RETURNS boolean LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    v_month date; v_shard smallint; v_after bigint; v_last bigint; v_rows bigint;
BEGIN
    PERFORM retention_alone();
    INSERT INTO journal_months (month)
    SELECT m.month FROM (
        SELECT to_date(right(c.relname, 7), 'YYYY_MM') AS month
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'public.journal_entries'::regclass
          AND c.relname ~ '^journal_entries_\d{4}_\d\d$'
    ) m
    -- A day more than the month: appends that began in it have ended.
    WHERE m.month + interval '1 month 1 day' < clock_timestamp() ON CONFLICT DO NOTHING;
    SELECT m.month INTO v_month FROM journal_months m
    WHERE m.counted IS NULL AND m.gone IS NULL ORDER BY m.month LIMIT 1;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO journal_month_shards (month, shard) SELECT v_month, s.shard FROM journal_shards s
    ON CONFLICT DO NOTHING;
    SELECT s.shard, s.counted INTO v_shard, v_after FROM journal_month_shards s
    WHERE s.month = v_month AND NOT s.is_counted ORDER BY s.shard LIMIT 1;
    IF NOT FOUND THEN
        UPDATE journal_months SET counted = clock_timestamp() WHERE month = v_month;
        RETURN true;
    END IF;
    EXECUTE format($q$
        WITH chunk AS MATERIALIZED (
            SELECT e.type, e.sequence, e.recorded,
                   150 + pg_column_size(e.attributes) + coalesce(pg_column_size(e.data), 0) AS bytes
            FROM public.%I e WHERE e.shard = $1 AND e.sequence > $2 ORDER BY e.sequence LIMIT $3
        ), added AS (
            INSERT INTO public.journal_month_types AS t
                (month, type, shard, entries, bytes, lowest, highest, first_recorded, last_recorded)
            SELECT $4, c.type, $1, count(*), sum(c.bytes), min(c.sequence), max(c.sequence),
                   min(c.recorded), max(c.recorded)
            FROM chunk c GROUP BY c.type
            ON CONFLICT (month, type, shard) DO UPDATE SET
                entries = t.entries + excluded.entries, bytes = t.bytes + excluded.bytes,
                highest = excluded.highest, last_recorded = excluded.last_recorded
        )
        SELECT max(c.sequence), count(*) FROM chunk c
        $q$, retention_partition(v_month))
    INTO v_last, v_rows USING v_shard, v_after, p_entries, v_month;
    UPDATE journal_month_shards SET counted = coalesce(v_last, counted),
        is_counted = v_rows < p_entries
    WHERE month = v_month AND shard = v_shard;
    RETURN true;
END $$;

-- What is over: its contract keeps it no longer, and that was not changed within the last week.
CREATE VIEW retention_due AS
SELECT t.month, t.type, t.shard, t.highest, t.entries
FROM journal_month_types t
JOIN journal_months m USING (month)
JOIN contracts c ON c.type = regexp_replace(t.type, '\.reply$', '')
WHERE m.counted IS NOT NULL AND m.gone IS NULL AND t.decided IS NULL
  AND c.retention_days IS NOT NULL
  AND c.retention_changed + interval '7 days' < clock_timestamp()
  AND t.month + interval '1 month' + make_interval(days => c.retention_days)
      < clock_timestamp() AT TIME ZONE 'UTC'
  AND NOT EXISTS (SELECT FROM journal_months u
                  WHERE u.month < t.month AND u.counted IS NULL AND u.gone IS NULL);

-- Who still has to get something of it. A discarded or resent dead letter needs its event no more.
CREATE VIEW retention_needs AS
SELECT d.month, d.type, d.entries, n.organisation, n.subscription, n.reason
FROM retention_due d CROSS JOIN LATERAL (
    SELECT '' AS organisation, '' AS subscription, 'relay' AS reason
    FROM journal_leases x WHERE x.shard = d.shard AND x.cursor_sequence < d.highest
    UNION SELECT s.organisation, s.name, 'unread'
    FROM subscription_cursors c JOIN subscriptions s USING (organisation, name)
    WHERE s.delivery = 'amqp' AND c.shard = d.shard AND c.drained < d.highest
      AND EXISTS (SELECT FROM unnest(s.types) p WHERE type_matches(p, d.type))
    UNION SELECT s.organisation, s.name, 'unread'
    FROM delivery_cursors c JOIN subscriptions s USING (organisation, name)
    WHERE c.shard = d.shard AND c.sequence < d.highest
      AND EXISTS (SELECT FROM unnest(s.types) p WHERE type_matches(p, d.type))
    UNION SELECT o.organisation, o.name, 'open'
    FROM delivery_open o
    WHERE o.shard = d.shard AND o.type = d.type AND o.sequence <= d.highest
    UNION SELECT l.organisation, l.name, 'dead-letter'
    FROM dead_letters l
    WHERE l.shard = d.shard AND l.type = d.type AND l.sequence <= d.highest AND l.state = 'dead'
) n;

-- Decide what goes. From its commit on, whatever begins earlier is told so; nothing is removed yet.
-- Contracts and subscriptions cannot change meanwhile. Returns what is held instead.
CREATE FUNCTION retention_decide() RETURNS TABLE (
    r_month date, r_type text, r_organisation text, r_subscription text, r_reason text,
    r_entries bigint)
LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC'
SET lock_timeout = '3s' AS $$
BEGIN
    PERFORM retention_alone();
    PERFORM FROM control_revisions r WHERE r.topic IN ('contracts', 'subscriptions')
    ORDER BY r.topic FOR UPDATE;
    WITH needs AS MATERIALIZED (
        SELECT n.month, n.type, n.organisation, n.subscription, n.reason,
               sum(n.entries)::bigint AS entries
        FROM retention_needs n GROUP BY 1, 2, 3, 4, 5
    ), ended AS (
        DELETE FROM retention_holds h WHERE NOT EXISTS (
            SELECT FROM needs n WHERE (n.month, n.type, n.organisation, n.subscription, n.reason)
                                    = (h.month, h.type, h.organisation, h.subscription, h.reason))
    )
    INSERT INTO retention_holds (month, type, organisation, subscription, reason, entries)
    SELECT n.month, n.type, n.organisation, n.subscription, n.reason, n.entries
    FROM needs n ON CONFLICT DO NOTHING;
    -- The months of a type go in their order, so that one position tells what is left of it.
    WITH decided AS (
        UPDATE journal_month_types t SET decided = clock_timestamp()
        FROM retention_due d
        WHERE (d.month, d.type, d.shard) = (t.month, t.type, t.shard) AND NOT EXISTS (
            SELECT FROM retention_holds h WHERE h.type = t.type AND h.month <= t.month)
        RETURNING t.type, t.shard, t.highest, t.last_recorded
    )
    INSERT INTO journal_floors AS f (type, shard, sequence, recorded)
    SELECT d.type, d.shard, max(d.highest), max(d.last_recorded)
    FROM decided d GROUP BY d.type, d.shard
    ON CONFLICT (type, shard) DO UPDATE
    SET sequence = greatest(f.sequence, excluded.sequence),
        recorded = greatest(f.recorded, excluded.recorded);
    RETURN QUERY SELECT h.month, h.type, h.organisation, h.subscription, h.reason, h.entries
                 FROM retention_holds h ORDER BY 1, 2, 3, 4, 5;
END $$;

-- Copy the next entries that stay of a month of which others go; false where nothing is to copy.
CREATE FUNCTION retention_copy(p_entries integer) RETURNS boolean LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    v_month date; v_removing text[]; v_name text; v_shard smallint; v_after bigint;
    v_last bigint; v_seen bigint; v_copied bigint;
BEGIN
    PERFORM retention_alone();
    SELECT m.month, m.removing INTO v_month, v_removing FROM journal_months m
    WHERE m.gone IS NULL AND NOT m.copied AND EXISTS (
        SELECT FROM journal_month_types t
        WHERE t.month = m.month AND t.decided IS NOT NULL AND t.removed IS NULL)
    ORDER BY m.removing IS NULL, m.month LIMIT 1;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    v_name := retention_partition(v_month);
    IF v_removing IS NULL THEN
        UPDATE journal_months SET copied_entries = 0, removing = ARRAY(
            SELECT DISTINCT t.type FROM journal_month_types t
            WHERE t.month = v_month AND t.decided IS NOT NULL AND t.removed IS NULL)
        WHERE month = v_month;
        UPDATE journal_month_shards SET copied = 0, is_copied = false WHERE month = v_month;
        EXECUTE format('DROP TABLE IF EXISTS public.%I', v_name || '_kept');
        IF EXISTS (SELECT FROM journal_month_types t
                   WHERE t.month = v_month AND t.decided IS NULL) THEN
            -- The constraint is that of the partition, so that nothing is read when it is attached.
            EXECUTE format(
                'CREATE TABLE public.%1$I (LIKE public.journal_entries INCLUDING ALL, '
                'CONSTRAINT month CHECK (recorded >= %3$L AND recorded < %4$L));'
                'CREATE TRIGGER %2$s_append_only BEFORE UPDATE OR DELETE OR TRUNCATE '
                'ON public.%1$I FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change()',
                v_name || '_kept', v_name, v_month::timestamptz,
                (v_month + interval '1 month')::timestamptz);
        ELSE
            UPDATE journal_months SET copied = true WHERE month = v_month;
        END IF;
        RETURN true;
    END IF;
    SELECT s.shard, s.copied INTO v_shard, v_after FROM journal_month_shards s
    WHERE s.month = v_month AND NOT s.is_copied ORDER BY s.shard LIMIT 1;
    IF NOT FOUND THEN
        UPDATE journal_months SET copied = true WHERE month = v_month;
        RETURN true;
    END IF;
    EXECUTE format($q$
        WITH chunk AS MATERIALIZED (
            SELECT e.* FROM public.%1$I e
            WHERE e.shard = $1 AND e.sequence > $2 ORDER BY e.sequence LIMIT $3
        ), kept AS (
            INSERT INTO public.%2$I SELECT c.* FROM chunk c WHERE c.type <> ALL ($4) RETURNING 1
        )
        SELECT (SELECT max(c.sequence) FROM chunk c), (SELECT count(*) FROM chunk),
               (SELECT count(*) FROM kept)
        $q$, v_name, v_name || '_kept')
    INTO v_last, v_seen, v_copied USING v_shard, v_after, p_entries, v_removing;
    UPDATE journal_month_shards SET copied = coalesce(v_last, copied),
        is_copied = v_seen < p_entries
    WHERE month = v_month AND shard = v_shard;
    UPDATE journal_months SET copied_entries = copied_entries + v_copied WHERE month = v_month;
    RETURN true;
END $$;

-- Put a complete copy in the place of its month, or nothing. A partition is detached under a lock that
-- intake meets, because PostgreSQL detaches none concurrently beside a default one. So it waits 50 ms
-- for that lock at most, and holds it while the catalogue changes; no entry is read under it.
-- Returns what was removed; raises lock_not_available where others hold the journal.
CREATE FUNCTION retention_swap() RETURNS TABLE (
    r_month date, r_type text, r_entries bigint, r_bytes bigint)
LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC'
SET lock_timeout = '50ms' AS $$
DECLARE
    v_month date; v_removing text[]; v_copied bigint; v_expected bigint; v_name text;
BEGIN
    PERFORM retention_alone();
    SELECT m.month, m.removing, m.copied_entries INTO v_month, v_removing, v_copied
    FROM journal_months m WHERE m.copied ORDER BY m.month LIMIT 1;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    SELECT coalesce(sum(t.entries), 0) INTO v_expected FROM journal_month_types t
    WHERE t.month = v_month AND t.removed IS NULL AND t.type <> ALL (v_removing);
    IF v_expected <> v_copied THEN
        RAISE EXCEPTION '% keeps % entries, but % were copied. Nothing was removed.',
            retention_partition(v_month), v_expected, v_copied USING ERRCODE = 'data_corrupted';
    END IF;
    v_name := retention_partition(v_month);
    EXECUTE format('ALTER TABLE public.journal_entries DETACH PARTITION public.%1$I;'
                   'ALTER TABLE public.%1$I RENAME TO %2$I', v_name, v_name || '_removed');
    IF v_expected > 0 THEN
        EXECUTE format('ALTER TABLE public.%2$I RENAME TO %1$I;'
                       'ALTER TABLE public.journal_entries ATTACH PARTITION public.%1$I '
                       'FOR VALUES FROM (%3$L) TO (%4$L);'
                       'ALTER TABLE public.%1$I DROP CONSTRAINT month',
                       v_name, v_name || '_kept', v_month::timestamptz,
                       (v_month + interval '1 month')::timestamptz);
    END IF;
    INSERT INTO retention_removals (kind, type, shard, month, count, bytes, lowest, highest,
                                    first_recorded, last_recorded)
    SELECT 'events', t.type, t.shard, t.month, t.entries, t.bytes, t.lowest, t.highest,
           t.first_recorded, t.last_recorded
    FROM journal_month_types t
    WHERE t.month = v_month AND t.removed IS NULL AND t.type = ANY (v_removing)
    ORDER BY t.type, t.shard;
    UPDATE journal_month_types SET removed = clock_timestamp()
    WHERE month = v_month AND removed IS NULL AND type = ANY (v_removing);
    UPDATE journal_months SET removing = NULL, copied = false,
        gone = CASE WHEN v_expected = 0 THEN clock_timestamp() END
    WHERE month = v_month;
    RETURN QUERY SELECT v_month, t.type, sum(t.entries)::bigint, sum(t.bytes)::bigint
                 FROM journal_month_types t
                 WHERE t.month = v_month AND t.type = ANY (v_removing) GROUP BY t.type;
END $$;

-- Drop what was taken out. A transaction of its own: it locks what nobody reads any more.
CREATE FUNCTION retention_drop() RETURNS integer LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET lock_timeout = '50ms' AS $$
DECLARE
    v_name text; v_dropped integer := 0;
BEGIN
    PERFORM retention_alone();
    FOR v_name IN
        SELECT c.relname FROM pg_class c
        WHERE c.relnamespace = 'public'::regnamespace AND NOT c.relispartition
          AND c.relname ~ '^journal_entries_\d{4}_\d\d_removed$'
    LOOP
        EXECUTE format('DROP TABLE public.%I', v_name);
        v_dropped := v_dropped + 1;
    END LOOP;
    RETURN v_dropped;
END $$;
GRANT EXECUTE ON FUNCTION retention_count, retention_decide, retention_copy, retention_swap,
    retention_drop TO nusabus_retention;

-- Delete evidence of which the time is over, the oldest first, at most so many rows of each kind. What
-- is still at work stays: a dead letter that is dead or not reported, a redrive that runs.
CREATE FUNCTION retention_forget(p_rows integer) RETURNS TABLE (r_kind text, r_count bigint)
LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    v_refusals timestamptz; v_letters timestamptz;
BEGIN
    PERFORM retention_alone();
    PERFORM set_config('nusabus.retention', 'on', true);  -- of this transaction alone
    SELECT clock_timestamp() - make_interval(days => p.days) INTO v_refusals
    FROM retention_periods p WHERE p.kind = 'refusals' AND p.days IS NOT NULL;
    SELECT clock_timestamp() - make_interval(days => p.days) INTO v_letters
    FROM retention_periods p WHERE p.kind = 'dead_letters' AND p.days IS NOT NULL;
    RETURN QUERY
    WITH a AS (
        DELETE FROM refusals r WHERE r.recorded < v_refusals AND r.number IN (
            SELECT o.number FROM refusals o ORDER BY o.number LIMIT p_rows)
        RETURNING r.recorded
    ), b AS (
        DELETE FROM refused_replies r WHERE r.ctid = ANY (ARRAY(
            SELECT o.ctid FROM refused_replies o WHERE o.recorded < v_refusals LIMIT p_rows))
        RETURNING r.recorded
    ), c AS (
        DELETE FROM dead_letters d WHERE d.number IN (
            SELECT o.number FROM dead_letters o
            WHERE o.state <> 'dead' AND o.report <> 'open' AND o.changed < v_letters
            ORDER BY o.number LIMIT p_rows)
        RETURNING d.changed AS recorded
    ), d AS (
        DELETE FROM redrives r WHERE r.id IN (
            SELECT o.id FROM redrives o
            WHERE o.state <> 'running' AND o.changed < v_letters LIMIT p_rows)
        RETURNING r.changed AS recorded
    ), gone AS (
        SELECT 'refusals' AS kind, a.recorded FROM a
        UNION ALL SELECT 'refused_replies', b.recorded FROM b
        UNION ALL SELECT 'dead_letters', c.recorded FROM c
        UNION ALL SELECT 'redrives', d.recorded FROM d
    )
    INSERT INTO retention_removals (kind, count, first_recorded, last_recorded)
    SELECT g.kind, count(*), min(g.recorded), max(g.recorded) FROM gone g GROUP BY g.kind
    RETURNING kind, count;
END $$;

-- Go through the next blocks of the identities, at most once a week through all of them, and delete
-- those that are older than their time and whose event was removed. False at the end of a pass.
CREATE FUNCTION retention_forget_identities(p_blocks integer) RETURNS boolean LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
-- By the index of the entry's own partition for each, never through all entries.
SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off AS $$
DECLARE
    v_before timestamptz; v_block bigint; v_began timestamptz;
BEGIN
    PERFORM retention_alone();
    PERFORM set_config('nusabus.retention', 'on', true);  -- of this transaction alone
    SELECT clock_timestamp() - make_interval(days => p.days) INTO v_before
    FROM retention_periods p WHERE p.kind = 'identities' AND p.days IS NOT NULL;
    SELECT r.block, r.began INTO v_block, v_began FROM retention_pass r;
    IF v_before IS NULL OR (v_block = 0 AND v_began > clock_timestamp() - interval '7 days') THEN
        RETURN false;
    END IF;
    IF v_block = 0 THEN
        UPDATE retention_pass SET began = clock_timestamp();
    END IF;
    WITH gone AS (
        DELETE FROM journal_identities i
        WHERE i.ctid >= format('(%s,0)', v_block)::tid
          AND i.ctid < format('(%s,0)', v_block + p_blocks)::tid AND i.recorded < v_before
          AND NOT EXISTS (SELECT FROM journal_entries e
                          WHERE e.shard = i.shard AND e.sequence = i.sequence
                            AND e.recorded = i.recorded)
        RETURNING i.recorded
    )
    INSERT INTO retention_removals (kind, count, first_recorded, last_recorded)
    SELECT 'identities', count(*), min(g.recorded), max(g.recorded) FROM gone g
    HAVING count(*) > 0;
    v_block := v_block + p_blocks;
    IF v_block >= pg_relation_size('public.journal_identities') / 8192 THEN
        v_block := 0;
    END IF;
    UPDATE retention_pass SET block = v_block;
    RETURN v_block > 0;
END $$;
GRANT EXECUTE ON FUNCTION retention_forget, retention_forget_identities TO nusabus_retention;

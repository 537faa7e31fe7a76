-- What `python -m gateway retention` calls: as before, for rows of both forms.

CREATE OR REPLACE FUNCTION retention_count(p_entries integer) RETURNS boolean LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    v_month date; v_shard smallint; v_after bigint; v_last bigint; v_rows bigint;
BEGIN
    PERFORM retention_alone();
    INSERT INTO journal_months (month)
    SELECT m.month FROM (
        SELECT to_date(right(c.relname, 7), 'YYYY_MM') AS month
        FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'public.journal_rows'::regclass
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
            SELECT coalesce(e.type, (SELECT o.type FROM public.journal_origins o
                                     WHERE o.number = e.origin)) AS type, e.sequence, e.recorded,
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

CREATE OR REPLACE FUNCTION retention_copy(p_entries integer) RETURNS boolean LANGUAGE plpgsql
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
    -- A copy that the version of before has begun has no origins, and is begun again.
    IF v_removing IS NULL OR NOT EXISTS (
        SELECT FROM pg_attribute a WHERE a.attname = 'origin'
        AND a.attrelid = to_regclass(format('public.%I', v_name || '_kept'))
    ) THEN
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
                'CREATE TABLE public.%1$I (LIKE public.journal_rows INCLUDING ALL, '
                'CONSTRAINT month CHECK (recorded >= %3$L AND recorded < %4$L));'
                'CREATE UNIQUE INDEX ON public.%1$I (shard, sequence);'
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
            INSERT INTO public.%2$I SELECT c.* FROM chunk c
            WHERE coalesce(c.type, (SELECT o.type FROM public.journal_origins o
                                    WHERE o.number = c.origin)) <> ALL ($4) RETURNING 1
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

CREATE OR REPLACE FUNCTION retention_swap() RETURNS TABLE (
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
    EXECUTE format('ALTER TABLE public.journal_rows DETACH PARTITION public.%1$I;'
                   'ALTER TABLE public.%1$I RENAME TO %2$I', v_name, v_name || '_removed');
    IF v_expected > 0 THEN
        EXECUTE format('ALTER TABLE public.%2$I RENAME TO %1$I;'
                       'ALTER TABLE public.journal_rows ATTACH PARTITION public.%1$I '
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

CREATE OR REPLACE FUNCTION retention_forget_identities(p_blocks integer) RETURNS boolean LANGUAGE plpgsql
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
          AND NOT EXISTS (SELECT FROM journal_rows e
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

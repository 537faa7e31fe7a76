-- Taking old partitions out of the journal: as before, for rows of both forms.

CREATE OR REPLACE FUNCTION journal_detach_partition(p_month date) RETURNS text LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET lock_timeout = '50ms'
SET timezone = 'UTC' AS $$
DECLARE
    v_first date := date_trunc('month', p_month);
    v_name text := to_char(v_first, '"journal_entries_"YYYY_MM');
    v_needed text;
BEGIN
    PERFORM FROM pg_inherits WHERE inhparent = 'public.journal_rows'::regclass
        AND inhrelid = to_regclass(format('public.%I', v_name));
    IF NOT FOUND THEN
        RAISE EXCEPTION 'There is no partition %.', v_name;
    END IF;
    IF v_first + interval '13 months' > clock_timestamp() THEN
        RAISE EXCEPTION '% ended less than a year ago. Keep it until then.', v_name;
    END IF;
    EXECUTE format($q$
        WITH last AS (
            SELECT s.shard, (SELECT max(e.sequence) FROM public.%I e WHERE e.shard = s.shard)
                AS sequence
            FROM public.journal_shards s
        ), needed AS (
            SELECT 'the relay' AS by FROM last l JOIN public.journal_leases x USING (shard)
            WHERE x.cursor_sequence < l.sequence
            UNION SELECT c.organisation || '/' || c.name
            FROM last l JOIN public.subscription_cursors c USING (shard)
            JOIN public.subscriptions s USING (organisation, name)
            WHERE s.delivery = 'amqp' AND c.drained < l.sequence
            UNION SELECT c.organisation || '/' || c.name
            FROM last l JOIN public.delivery_cursors c USING (shard) WHERE c.sequence < l.sequence
            UNION SELECT o.organisation || '/' || o.name
            FROM last l JOIN public.delivery_open o USING (shard) WHERE o.sequence <= l.sequence
            UNION SELECT d.organisation || '/' || d.name
            FROM last l JOIN public.dead_letters d USING (shard)
            WHERE d.sequence <= l.sequence AND d.state = 'dead'
        )
        SELECT string_agg(by, ', ' ORDER BY by) FROM (SELECT by FROM needed ORDER BY by LIMIT 20) n
        $q$, v_name) INTO v_needed;
    IF v_needed IS NOT NULL THEN
        RAISE EXCEPTION '% is still needed by: %. Let them catch up, and end their dead letters.',
            v_name, v_needed;
    END IF;
    -- Who begins before it is told so.
    EXECUTE format($q$
        INSERT INTO public.journal_floors AS f (type, shard, sequence, recorded)
        SELECT coalesce(e.type, (SELECT o.type FROM public.journal_origins o
                                 WHERE o.number = e.origin)), e.shard, max(e.sequence),
               max(e.recorded)
        FROM public.%I e GROUP BY 1, 2
        ON CONFLICT (type, shard) DO UPDATE
        SET sequence = greatest(f.sequence, excluded.sequence),
            recorded = greatest(f.recorded, excluded.recorded)
        $q$, v_name);
    EXECUTE format($q$
        INSERT INTO public.retention_removals (kind, type, shard, month, count, lowest, highest,
                                               first_recorded, last_recorded)
        SELECT 'events', coalesce(e.type, (SELECT o.type FROM public.journal_origins o
                                           WHERE o.number = e.origin)), e.shard, $1, count(*),
               min(e.sequence), max(e.sequence), min(e.recorded), max(e.recorded)
        FROM public.%I e GROUP BY 2, 3
        $q$, v_name) USING v_first;
    UPDATE journal_month_types SET decided = coalesce(decided, clock_timestamp()),
        removed = coalesce(removed, clock_timestamp()) WHERE month = v_first;
    UPDATE journal_months SET gone = clock_timestamp(), removing = NULL, copied = false
    WHERE month = v_first;
    EXECUTE format('DROP TABLE IF EXISTS public.%I', v_name || '_kept');
    EXECUTE format('ALTER TABLE public.journal_rows DETACH PARTITION public.%1$I;'
                   'GRANT SELECT ON public.%1$I TO nusabus_retention', v_name);
    INSERT INTO public.journal_detachments (partition) VALUES (v_name);
    RETURN v_name;
END $$;

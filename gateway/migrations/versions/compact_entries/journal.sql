-- Entries in less space (decision 0038). The table gets another name, and under its old one there is
-- a view that shows every row as it always was: what reads entries, older processes too, goes on.

SET LOCAL lock_timeout = '3s';  -- whoever waits for a lock on the journal lets intake wait as well
SELECT retention_alone();  -- before the journal, as retention itself does it

-- What the events of a client have in common is stored once. `facts` are all other columns, one per
-- line: the key by which `journal_append_rows` finds the row. `attributes` are JSON members without
-- braces.
-- Only what was granted and registered is in here, so it does not grow with the events. Readers keep
-- it in memory; numbers are random, so that a journal that was restored gives none of them to another.
CREATE TABLE journal_origins (
    number bigint PRIMARY KEY DEFAULT hashtextextended(gen_random_uuid()::text, 0),
    facts text NOT NULL UNIQUE,
    type text NOT NULL,
    client text NOT NULL,
    publisher text NOT NULL,
    contract_version integer NOT NULL,
    is_binary boolean NOT NULL,
    attributes text NOT NULL
);
CREATE TRIGGER journal_origins_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON journal_origins
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
GRANT SELECT ON journal_origins TO nusabus_app, nusabus_retention;

-- A row has either an origin, or the columns of before. Its digest is in `journal_identities` alone.
ALTER TABLE journal_entries RENAME TO journal_rows;
ALTER TABLE journal_rows ADD COLUMN origin bigint,
    ALTER COLUMN type DROP NOT NULL, ALTER COLUMN is_binary DROP NOT NULL,
    ALTER COLUMN digest DROP NOT NULL, ALTER COLUMN client DROP NOT NULL,
    ALTER COLUMN publisher DROP NOT NULL, ALTER COLUMN contract_version DROP NOT NULL;

-- `Event.digest` of gateway/base/event.py, of an entry that is read by the name of before.
CREATE FUNCTION journal_digest(
    p_id text, p_source text, p_type text, p_subject text, p_attributes text, p_data bytea,
    p_is_binary boolean
) RETURNS bytea LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT sha256(convert_to(concat_ws(E'\n', p_id, p_source, p_type, coalesce(p_subject, ''), (
            SELECT string_agg(a.key || E'\n' || a.value, E'\n' ORDER BY a.key COLLATE "C")
            FROM json_each_text(p_attributes::json) a
            WHERE a.key <> ALL ('{traceparent,tracestate,sequence,recordedtime,publisher,'
                                'dataclassification}'::text[])
        ), ''), 'UTF8') || '\x00'::bytea || convert_to(CASE WHEN p_data IS NULL THEN 'none'
            WHEN p_is_binary THEN 'bytes' ELSE 'json' END, 'UTF8') || coalesce(p_data, ''))
$$;
GRANT EXECUTE ON FUNCTION journal_digest TO nusabus_app;

-- OFFSET keeps the look at each origin a look by its key, whatever the statistics say.
CREATE VIEW journal_entries AS
SELECT r.shard, r.sequence, r.recorded, r.source, r.id, e.type, r.subject, e.attributes, r.data,
       e.is_binary, coalesce(r.digest, journal_digest(r.id, r.source, e.type, r.subject,
           e.attributes, r.data, e.is_binary)) AS digest,
       e.client, e.publisher, e.contract_version
FROM journal_rows r
LEFT JOIN LATERAL (SELECT * FROM journal_origins x WHERE x.number = r.origin OFFSET 0) o ON true
CROSS JOIN LATERAL (
    SELECT coalesce(r.type, o.type) AS type, coalesce(r.is_binary, o.is_binary) AS is_binary,
           coalesce(r.client, o.client) AS client, coalesce(r.publisher, o.publisher) AS publisher,
           coalesce(r.contract_version, o.contract_version) AS contract_version,
           CASE WHEN coalesce(o.attributes, '') = '' THEN r.attributes
                WHEN r.attributes = '{}' THEN '{' || o.attributes || '}'
                ELSE '{' || o.attributes || ',' || substr(r.attributes, 2) END AS attributes
) e;
GRANT SELECT ON journal_entries TO nusabus_app;

-- An append of before that waits for this migration goes on by this name.
CREATE FUNCTION journal_insert_entry() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.journal_rows (shard, sequence, recorded, source, id, type, subject,
        attributes, data, is_binary, digest, client, publisher, contract_version)
    SELECT NEW.*;
    RETURN NEW;
END $$;
CREATE TRIGGER journal_entries_insert INSTEAD OF INSERT ON journal_entries
    FOR EACH ROW EXECUTE FUNCTION journal_insert_entry();

-- A partition has a unique index of its own, because one over all partitions would have to contain
-- `recorded`; with a third column, PostgreSQL leaves the pages of the index half empty as well.
CREATE OR REPLACE FUNCTION journal_create_partition(p_month date) RETURNS boolean LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp SET lock_timeout = '3s' SET timezone = 'UTC' AS $$
DECLARE
    v_first date := date_trunc('month', p_month);
    v_name text := to_char(v_first, '"journal_entries_"YYYY_MM');
BEGIN
    IF to_regclass(format('public.%I', v_name)) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format(
        'CREATE TABLE public.%1$I (LIKE public.journal_rows INCLUDING ALL);'
        'CREATE UNIQUE INDEX ON public.%1$I (shard, sequence);'
        'CREATE TRIGGER %1$s_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON public.%1$I '
        'FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();'
        'ALTER TABLE public.journal_rows ATTACH PARTITION public.%1$I '
        'FOR VALUES FROM (%2$L) TO (%3$L)',
        v_name, v_first::timestamptz, (v_first + interval '1 month')::timestamptz);
    RETURN true;
END $$;

-- The numbers of these origins, in their order. Those that are not there yet are made.
CREATE FUNCTION journal_origins_of(p_facts text[]) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE
    v_origins bigint[];
BEGIN
    FOR v_try IN 1..3 LOOP
        SELECT array_agg(o.number ORDER BY f.ord) INTO v_origins
        FROM unnest(p_facts) WITH ORDINALITY AS f(facts, ord)
        LEFT JOIN LATERAL (
            SELECT x.number FROM journal_origins x WHERE x.facts = f.facts OFFSET 0
        ) o ON true;
        IF array_position(v_origins, NULL) IS NULL THEN
            RETURN v_origins;
        END IF;
        -- Another append may make the same one now: this waits for its end. Sorted as identities are.
        INSERT INTO journal_origins (facts, type, client, publisher, contract_version, is_binary,
                                     attributes)
        SELECT f.facts, split_part(f.facts, E'\n', 1), split_part(f.facts, E'\n', 2),
               split_part(f.facts, E'\n', 3), split_part(f.facts, E'\n', 4)::integer,
               split_part(f.facts, E'\n', 5) = '1', split_part(f.facts, E'\n', 6)
        FROM (SELECT DISTINCT u.facts FROM unnest(p_facts) AS u(facts)) f
        ORDER BY f.facts ON CONFLICT (facts) DO NOTHING;
    END LOOP;
    RAISE EXCEPTION 'An origin was not stored.' USING ERRCODE = 'internal_error';
END $$;

-- Append entries. All columns of an event come in five arrays and not in one array per column,
-- because the driver's work grows with their number: `p_fixed` is the identity (16 bytes), the
-- digest (32) and which of the origins in `p_facts` it has (2, from 0); `p_head` has id, source and
-- subject, one per line. `p_facts` has type, client, publisher, contract version, whether the data are
-- binary, and common attributes, one per line. So none of them may contain a line break.
-- `p_attributes` are the others, as a JSON object.
--
-- Result: rows with r_ord 0 give, per shard, the sequence below the first new one; a row with
-- r_ord n says that input n was stored before, and where. New inputs get the sequences of their
-- shard in the order of the input.
--
-- Its plan must not depend on statistics, which a fresh table does not have: OFFSET keeps the look
-- at each identity a subquery of its own, and without sequential scans that is a look in the index.
--
-- It runs with the owner's rights. The processes have none to write to these tables themselves, so
-- whoever has their password can add events, but neither change a counter nor leave a gap.
CREATE FUNCTION journal_append_rows(
    p_shard smallint[], p_fixed bytea[], p_head text[], p_attributes text[], p_data bytea[],
    p_facts text[]
) RETURNS TABLE (r_ord integer, r_shard smallint, r_sequence bigint, r_recorded timestamptz,
                 r_digest bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off AS $$
DECLARE
    v_now timestamptz;
    v_restored boolean;
    v_origins bigint[];
BEGIN
    -- In the order of shards, so that two appends never wait for each other in a circle.
    SELECT bool_or(l.made <> l.present) INTO v_restored FROM (
        SELECT s.made, s.tableoid AS present FROM journal_shards s
        WHERE s.shard = ANY (p_shard) ORDER BY s.shard FOR UPDATE
    ) l;
    IF v_restored THEN
        RAISE EXCEPTION 'The journal was restored under this connection. Call journal_enter.'
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF EXISTS (
        SELECT FROM unnest(p_fixed, p_head) AS u(fixed, head)
        WHERE u.head LIKE E'%\n%\n%\n%' OR get_byte(u.fixed, 48) * 256 + get_byte(u.fixed, 49)
              >= coalesce(cardinality(p_facts), 0)
    ) OR EXISTS (SELECT FROM unnest(p_facts) f WHERE f LIKE '%' || repeat(E'\n%', 6)) THEN
        RAISE EXCEPTION 'An event has a line break, or no origin.'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    v_origins := journal_origins_of(p_facts);
    v_now := clock_timestamp();
    -- A statement of its own: its snapshot is younger than the locks and the origins.
    RETURN QUERY
    WITH known AS MATERIALIZED (
        SELECT u.ord::integer AS ord, x.shard, x.sequence, x.recorded, x.digest
        FROM unnest(p_fixed) WITH ORDINALITY AS u(fixed, ord)
        CROSS JOIN LATERAL (
            SELECT i.shard, i.sequence, i.recorded, i.digest FROM journal_identities i
            WHERE i.identity = substr(u.fixed, 1, 16) OFFSET 0
        ) x
    ), fresh AS MATERIALIZED (
        SELECT u.shard, u.ord, u.attributes, u.data,
               substr(u.fixed, 1, 16) AS identity, substr(u.fixed, 17, 32) AS digest,
               split_part(u.head, E'\n', 1) AS id, split_part(u.head, E'\n', 2) AS source,
               nullif(split_part(u.head, E'\n', 3), '') AS subject,
               v_origins[get_byte(u.fixed, 48) * 256 + get_byte(u.fixed, 49) + 1] AS origin,
               greatest(s.recorded, v_now) AS recorded,
               s.last + row_number() OVER (PARTITION BY u.shard ORDER BY u.ord) AS sequence
        FROM unnest(p_shard, p_fixed, p_head, p_attributes, p_data)
             WITH ORDINALITY AS u(shard, fixed, head, attributes, data, ord)
        JOIN journal_shards s ON s.shard = u.shard
        WHERE NOT EXISTS (SELECT FROM known k WHERE k.ord = u.ord)
    ), identities AS (
        -- Sorted, so that two appends with common identities in other shards cannot deadlock.
        INSERT INTO journal_identities (identity, digest, shard, sequence, recorded)
        SELECT f.identity, f.digest, f.shard, f.sequence, f.recorded FROM fresh f
        ORDER BY f.identity
    ), entries AS (
        INSERT INTO journal_rows (shard, sequence, recorded, source, id, subject, attributes, data,
                                  origin)
        SELECT f.shard, f.sequence, f.recorded, f.source, f.id, f.subject, f.attributes, f.data,
               f.origin
        FROM fresh f
    ), moved AS (
        UPDATE journal_shards s SET last = s.last + c.n, recorded = c.recorded
        FROM (SELECT f.shard, count(*) AS n, max(f.recorded) AS recorded
              FROM fresh f GROUP BY f.shard) c
        WHERE s.shard = c.shard
        RETURNING s.shard, s.last - c.n AS base, s.recorded
    )
    SELECT 0, m.shard, m.base, m.recorded, NULL::bytea FROM moved m
    UNION ALL SELECT k.ord, k.shard, k.sequence, k.recorded, k.digest FROM known k;
END $$;
GRANT EXECUTE ON FUNCTION journal_append_rows TO nusabus_app;

-- For processes of before: their `p_head` has id, source, type, subject, client, contract version and
-- publisher.
CREATE OR REPLACE FUNCTION journal_append(
    p_shard smallint[], p_fixed bytea[], p_head text[], p_attributes text[], p_data bytea[]
) RETURNS TABLE (r_ord integer, r_shard smallint, r_sequence bigint, r_recorded timestamptz,
                 r_digest bytea)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    WITH old AS (
        SELECT u.ord, u.fixed, string_to_array(u.head, E'\n') AS a
        FROM unnest(p_head, p_fixed) WITH ORDINALITY AS u(head, fixed, ord)
    )
    SELECT * FROM journal_append_rows(
        p_shard,
        ARRAY(SELECT substr(o.fixed, 1, 48) || int2send((o.ord - 1)::int2) FROM old o ORDER BY o.ord),
        ARRAY(SELECT concat_ws(E'\n', o.a[1], o.a[2], o.a[4]) FROM old o ORDER BY o.ord),
        p_attributes,
        p_data,
        ARRAY(SELECT concat_ws(E'\n', o.a[3], o.a[5], o.a[7], o.a[6], get_byte(o.fixed, 48), '')
              FROM old o ORDER BY o.ord))
$$;

-- Copies of retention that are not complete are made again, with the index of above.
UPDATE journal_months SET removing = NULL, copied = false WHERE removing IS NOT NULL;

-- What is left to do for the indexes, outside of any transaction. An index that was begun and not
-- finished is dropped first.
CREATE FUNCTION journal_index_statements() RETURNS SETOF text LANGUAGE sql
SET search_path = pg_catalog, public, pg_temp AS $$
    WITH partitions AS (
        SELECT h.inhrelid AS partition FROM pg_inherits h
        WHERE h.inhparent = 'public.journal_rows'::regclass
    )
    SELECT format('DROP INDEX CONCURRENTLY %s', i.indexrelid::regclass)
    FROM partitions p JOIN pg_index i ON i.indrelid = p.partition WHERE NOT i.indisvalid
    UNION ALL
    SELECT format('CREATE UNIQUE INDEX CONCURRENTLY ON %s (shard, sequence)', p.partition::regclass)
    FROM partitions p WHERE NOT EXISTS (
        SELECT FROM pg_index i WHERE i.indrelid = p.partition AND i.indisvalid
        AND i.indisunique AND i.indnatts = 2)
$$;

-- Drop the key that the indexes replace. False while an index is missing; raises lock_not_available
-- where others hold the journal: intake waits for this lock.
CREATE FUNCTION journal_drop_old_key() RETURNS boolean LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp SET lock_timeout = '50ms' AS $$
BEGIN
    PERFORM FROM pg_constraint c
    WHERE c.conrelid = 'public.journal_rows'::regclass AND c.contype = 'p';
    IF FOUND THEN
        IF EXISTS (SELECT FROM journal_index_statements()) THEN
            RETURN false;
        END IF;
        LOCK TABLE journal_rows IN ACCESS EXCLUSIVE MODE;
        IF EXISTS (SELECT FROM journal_index_statements()) THEN
            RETURN false;  -- of a partition that was added meanwhile
        END IF;
        ALTER TABLE journal_rows DROP CONSTRAINT IF EXISTS journal_entries_pkey;
    END IF;
    RETURN true;
END $$;

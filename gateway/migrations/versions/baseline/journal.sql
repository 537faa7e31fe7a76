-- The journal: an append-only log in shards.

-- The last sequence of each shard. Every append updates its row, so the page is nearly empty (HOT
-- updates) and the row is vacuumed by number of updates, not by share of the table.
--
-- `incarnation`, and its gap: entries go up to `restored`, and on above `begins` (decision 0033).
-- `made` is the oid of this table when the incarnation began: a restored dump has another one.
CREATE TABLE journal_shards (
    shard smallint PRIMARY KEY,
    last bigint NOT NULL DEFAULT 0,
    recorded timestamptz NOT NULL DEFAULT '-infinity',
    incarnation text NOT NULL DEFAULT '',
    restored bigint NOT NULL DEFAULT 0,
    begins bigint NOT NULL DEFAULT 0,
    made oid NOT NULL
) WITH (fillfactor = 10, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);
ALTER TABLE journal_shards ALTER COLUMN made SET DEFAULT 'journal_shards'::regclass::oid;
GRANT SELECT ON journal_shards TO nusabus_app;

-- Which events were accepted: `identity` is source and id, hashed (decision 0003). This table is
-- apart from the entries because a unique index over partitions would have to contain `recorded`.
CREATE TABLE journal_identities (
    identity bytea PRIMARY KEY,
    digest bytea NOT NULL,
    shard smallint NOT NULL,
    sequence bigint NOT NULL,
    recorded timestamptz NOT NULL
);
CREATE TRIGGER journal_identities_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON journal_identities
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('retention');
CREATE TRIGGER journal_identities_keep BEFORE DELETE ON journal_identities
    FOR EACH ROW EXECUTE FUNCTION keep_evidence('identities', 'recorded');
GRANT SELECT ON journal_identities TO nusabus_app;

-- One partition per month, made ahead by `gateway.journal.partitions`. Entries of a month without
-- a partition (a wrong clock) go to the default one. There is no index by type: readers go by
-- sequence, and each further index would slow down every append.
CREATE TABLE journal_entries (
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
    publisher text NOT NULL,
    contract_version integer NOT NULL,
    PRIMARY KEY (shard, sequence, recorded)
) PARTITION BY RANGE (recorded);
CREATE TABLE journal_entries_default PARTITION OF journal_entries DEFAULT;
-- A statement's trigger is that of the table which the statement names, so each partition has one.
CREATE TRIGGER journal_entries_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON journal_entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER journal_entries_default_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON journal_entries_default
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
-- On the table alone, which is enough to read all partitions through it.
GRANT SELECT ON journal_entries TO nusabus_app;

-- A partition is made as a table of its own and then attached, which needs no lock that stops
-- inserts. False where it is there already.
CREATE FUNCTION journal_create_partition(p_month date) RETURNS boolean LANGUAGE plpgsql
SET search_path = pg_catalog, public, pg_temp SET lock_timeout = '3s' SET timezone = 'UTC' AS $$
DECLARE
    v_first date := date_trunc('month', p_month);
    v_name text := to_char(v_first, '"journal_entries_"YYYY_MM');
BEGIN
    IF to_regclass(format('public.%I', v_name)) IS NOT NULL THEN
        RETURN false;
    END IF;
    EXECUTE format(
        'CREATE TABLE public.%1$I (LIKE public.journal_entries INCLUDING ALL);'
        'CREATE TRIGGER %1$s_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON public.%1$I '
        'FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();'
        'ALTER TABLE public.journal_entries ATTACH PARTITION public.%1$I '
        'FOR VALUES FROM (%2$L) TO (%3$L)',
        v_name, v_first::timestamptz, (v_first + interval '1 month')::timestamptz);
    RETURN true;
END $$;

-- The same with the owner's rights, for the processes: of this month or one of the next three.
CREATE FUNCTION journal_create_coming_partition(p_ahead integer) RETURNS boolean LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' AS $$
BEGIN
    IF p_ahead IS NULL OR p_ahead NOT BETWEEN 0 AND 3 THEN
        RAISE EXCEPTION 'Partitions are made for this month and the next three, not for month %.',
            p_ahead USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN public.journal_create_partition(
        (date_trunc('month', clock_timestamp()) + make_interval(months => p_ahead))::date);
END $$;
GRANT EXECUTE ON FUNCTION journal_create_coming_partition TO nusabus_app;

-- The partitions that were taken out of the journal, by `retention.sql`.
CREATE TABLE journal_detachments (
    partition text PRIMARY KEY,
    detached timestamptz NOT NULL DEFAULT clock_timestamp(),
    detached_by text NOT NULL DEFAULT session_user
);
CREATE TRIGGER journal_detachments_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON journal_detachments
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
GRANT SELECT ON journal_detachments TO nusabus_app, nusabus_retention;

-- Which relay works on a shard, and its cursor: up to where the broker has confirmed. `returned`
-- counts messages that no queue took. `made` and storage as for journal_shards.
CREATE TABLE journal_leases (
    shard smallint PRIMARY KEY,
    epoch bigint NOT NULL DEFAULT 0,
    holder text,
    expires timestamptz NOT NULL DEFAULT '-infinity',
    cursor_sequence bigint NOT NULL DEFAULT 0,
    cursor_recorded timestamptz NOT NULL DEFAULT '-infinity',
    returned bigint NOT NULL DEFAULT 0,
    made oid NOT NULL
) WITH (fillfactor = 10, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0);
ALTER TABLE journal_leases ALTER COLUMN made SET DEFAULT 'journal_leases'::regclass::oid;
GRANT SELECT, INSERT (shard, epoch, holder, expires),
    UPDATE (epoch, holder, expires, cursor_sequence, cursor_recorded, returned)
    ON journal_leases TO nusabus_app;

-- The relays that are alive, so that each takes its share of the shards.
CREATE TABLE journal_relays (
    name text PRIMARY KEY,
    seen timestamptz NOT NULL
);
GRANT SELECT, INSERT, UPDATE (seen), DELETE ON journal_relays TO nusabus_app;

-- Events that were not accepted, without their data.
CREATE TABLE refusals (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    recorded timestamptz NOT NULL DEFAULT clock_timestamp(),
    client text NOT NULL,
    organisation text NOT NULL,
    type text,
    source text,
    id text,
    reason text NOT NULL,
    detail text NOT NULL,
    violations text NOT NULL,
    digest bytea NOT NULL
);
CREATE INDEX refusals_by_organisation ON refusals (organisation, number);
CREATE TRIGGER refusals_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON refusals
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('retention');
CREATE TRIGGER refusals_keep BEFORE DELETE ON refusals
    FOR EACH ROW EXECUTE FUNCTION keep_evidence('refusals', 'recorded');
GRANT SELECT, INSERT ON refusals TO nusabus_app;

-- The incarnations of the journal (decision 0033). A restore to an older state begins a new one, and
-- so does whatever may have been one. `server` says where the journal was when it began; `replaced`
-- are incarnations that a process still knew and that this journal has never had. `recovered`: when
-- the operator had looked at what RabbitMQ holds; queues that are unknown are kept until then.
CREATE TABLE journal_incarnations (
    number integer PRIMARY KEY,
    id text NOT NULL UNIQUE,
    began timestamptz NOT NULL DEFAULT clock_timestamp(),
    reason text NOT NULL,
    server text NOT NULL,
    replaced text[] NOT NULL DEFAULT '{}',
    recovered timestamptz
);
GRANT SELECT, UPDATE (recovered) ON journal_incarnations TO nusabus_app;

-- What an incarnation took over, and above which sequence it goes on: what lies between was handed
-- out by its predecessors at most, and never by it.
CREATE TABLE journal_gaps (
    number integer NOT NULL REFERENCES journal_incarnations,
    shard smallint NOT NULL,
    restored bigint NOT NULL,
    begins bigint NOT NULL,
    PRIMARY KEY (number, shard)
);
GRANT SELECT ON journal_gaps TO nusabus_app;

-- Where the journal is: the server's cluster and timeline, the database, the table.
CREATE FUNCTION journal_server() RETURNS text LANGUAGE sql
SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT concat_ws('/', (SELECT system_identifier FROM pg_control_system()),
                     substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8),
                     (SELECT oid FROM pg_database WHERE datname = current_database()),
                     'public.journal_shards'::regclass::oid)
$$;

CREATE FUNCTION journal_incarnation_id() RETURNS text LANGUAGE sql AS $$
    SELECT left(replace(gen_random_uuid()::text, '-', ''), 12)
$$;
INSERT INTO journal_incarnations (number, id, reason, server, recovered)
VALUES (1, journal_incarnation_id(), 'made', journal_server(), clock_timestamp());

-- Why this journal is not the one that a process knows; NULL where it is. `p_id` is the incarnation
-- of the process, the arrays are the last entry of each shard that it has seen in it.
CREATE FUNCTION journal_difference(
    p_id text, p_shard smallint[], p_sequence bigint[], p_recorded timestamptz[]
) RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    v_now journal_incarnations;
    v_next integer;
BEGIN
    SELECT * INTO v_now FROM journal_incarnations ORDER BY number DESC LIMIT 1;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'The journal has no incarnation: it is being restored.'
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    IF v_now.server <> journal_server()
        OR EXISTS (SELECT FROM journal_shards s WHERE s.made <> s.tableoid) THEN
        RETURN 'moved';
    END IF;
    IF p_id IS NULL THEN
        RETURN NULL;
    END IF;
    IF p_id = v_now.id THEN
        PERFORM FROM unnest(p_shard, p_sequence, p_recorded) AS k(shard, sequence, recorded)
        JOIN journal_shards s USING (shard)
        WHERE k.sequence > s.last OR EXISTS (
            SELECT FROM journal_entries e WHERE e.shard = k.shard AND e.sequence = k.sequence
            AND e.recorded <> k.recorded);
        RETURN CASE WHEN FOUND THEN 'entries-missing' END;
    END IF;
    SELECT min(i.number) INTO v_next FROM journal_incarnations i
    WHERE p_id = ANY (i.replaced)
       OR i.number > (SELECT o.number FROM journal_incarnations o WHERE o.id = p_id);
    IF v_next IS NULL THEN
        RETURN 'incarnation-missing';
    END IF;
    -- What was handed out before must lie in the gap of the successor.
    PERFORM FROM unnest(p_shard, p_sequence) AS k(shard, sequence) JOIN journal_gaps g USING (shard)
    WHERE g.number = v_next AND k.sequence > g.begins;
    RETURN CASE WHEN FOUND THEN 'entries-missing' END;
END $$;

-- Enter the journal: for each connection, before anything else. Begins a new incarnation where the
-- journal is not the one that the process knows, and returns the present one. A journal without
-- entries just becomes another one.
--
-- Sequences go on above a round number, half a milliard at least above all that is known to have
-- been handed out; so no restore has ever handed out a pair of shard and sequence twice. Leases get
-- new epochs in the same way: what a former holder still sends does nothing. Whoever lies about
-- what is known can leave a gap, and a bounded one.
CREATE FUNCTION journal_enter(
    p_id text, p_shard smallint[], p_sequence bigint[], p_recorded timestamptz[]
) RETURNS TABLE (r_number integer, r_id text) LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    v_reason text;
    v_id text := journal_incarnation_id();
    v_number integer;
BEGIN
    IF NOT pg_is_in_recovery()
        AND journal_difference(p_id, p_shard, p_sequence, p_recorded) IS NOT NULL THEN
        PERFORM 1 FROM journal_shards s ORDER BY s.shard FOR UPDATE;
        -- Again: another process may have begun it while this one waited.
        v_reason := journal_difference(p_id, p_shard, p_sequence, p_recorded);
    END IF;
    IF v_reason IS NOT NULL THEN
        SELECT max(i.number) INTO v_number FROM journal_incarnations i;
        IF p_shard = '{}' AND NOT EXISTS (SELECT FROM journal_shards s WHERE s.last > 0) THEN
            UPDATE journal_incarnations SET id = v_id, server = journal_server()
            WHERE number = v_number;
        ELSE
            v_number := v_number + 1;
            INSERT INTO journal_incarnations (number, id, reason, server, replaced)
            VALUES (v_number, v_id, v_reason, journal_server(),
                    CASE v_reason WHEN 'incarnation-missing' THEN ARRAY[p_id] ELSE '{}' END);
            INSERT INTO journal_gaps (number, shard, restored, begins)
            SELECT v_number, s.shard, CASE s.last WHEN s.begins THEN s.restored ELSE s.last END,
                   ((greatest(s.last, least(coalesce(k.sequence, 0), s.last + 100000000000))
                     + 500000000) / 1000000000 + 1) * 1000000000
            FROM journal_shards s
            LEFT JOIN unnest(p_shard, p_sequence) AS k(shard, sequence) USING (shard);
            UPDATE journal_shards s SET restored = g.restored, begins = g.begins, last = g.begins
            FROM journal_gaps g WHERE g.number = v_number AND g.shard = s.shard;
            UPDATE journal_leases SET epoch = (epoch / 1000000 + 1) * 1000000, holder = NULL,
                expires = '-infinity';
        END IF;
        UPDATE journal_shards SET incarnation = v_id, made = tableoid;
        UPDATE journal_leases SET made = tableoid;
    END IF;
    RETURN QUERY SELECT i.number, i.id FROM journal_incarnations i ORDER BY i.number DESC LIMIT 1;
END $$;
GRANT EXECUTE ON FUNCTION journal_enter TO nusabus_app;

-- Append entries. All columns of an event come in five arrays and not in one array per column,
-- because the driver's work grows with their number: `p_fixed` is the identity (16 bytes), the
-- digest (32) and whether the data are binary (1); `p_head` has id, source, type, subject, client,
-- contract version and publisher, one per line, so none of them may contain a line break.
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
CREATE FUNCTION journal_append(
    p_shard smallint[], p_fixed bytea[], p_head text[], p_attributes text[], p_data bytea[]
) RETURNS TABLE (r_ord integer, r_shard smallint, r_sequence bigint, r_recorded timestamptz,
                 r_digest bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp
SET enable_seqscan = off AS $$
DECLARE
    v_now timestamptz;
    v_restored boolean;
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
    v_now := clock_timestamp();
    -- A statement of its own: its snapshot is younger than the locks.
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
               get_byte(u.fixed, 48) = 1 AS is_binary,
               split_part(u.head, E'\n', 1) AS id, split_part(u.head, E'\n', 2) AS source,
               split_part(u.head, E'\n', 3) AS type,
               nullif(split_part(u.head, E'\n', 4), '') AS subject,
               split_part(u.head, E'\n', 5) AS client,
               split_part(u.head, E'\n', 6)::integer AS contract_version,
               split_part(u.head, E'\n', 7) AS publisher,
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
        INSERT INTO journal_entries (shard, sequence, recorded, source, id, type, subject,
                                   attributes, data, is_binary, digest, client, publisher,
                                   contract_version)
        SELECT f.shard, f.sequence, f.recorded, f.source, f.id, f.type, f.subject, f.attributes,
               f.data, f.is_binary, f.digest, f.client, f.publisher, f.contract_version
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
GRANT EXECUTE ON FUNCTION journal_append TO nusabus_app;

-- What retention knows of a month whose partition is complete (`retention_runs.sql`). `removing`: the
-- types that are left out of the copy that is being made; `copied`: that copy is complete. `gone`:
-- nothing is left of the month.
CREATE TABLE journal_months (
    month date PRIMARY KEY,
    counted timestamptz,
    removing text[],
    copied boolean NOT NULL DEFAULT false,
    copied_entries bigint NOT NULL DEFAULT 0,
    gone timestamptz
);

-- How far a month is counted and copied, as sequences.
CREATE TABLE journal_month_shards (
    month date NOT NULL REFERENCES journal_months,
    shard smallint NOT NULL,
    counted bigint NOT NULL DEFAULT 0,
    is_counted boolean NOT NULL DEFAULT false,
    copied bigint NOT NULL DEFAULT 0,
    is_copied boolean NOT NULL DEFAULT false,
    PRIMARY KEY (month, shard)
);

-- What a month holds of each type: counted once, because a month that has ended never changes.
-- `decided`: they will be removed, and nobody may rely on them any more; `removed`: they are gone.
CREATE TABLE journal_month_types (
    month date NOT NULL REFERENCES journal_months,
    type text NOT NULL,
    shard smallint NOT NULL,
    entries bigint NOT NULL,
    bytes bigint NOT NULL,
    lowest bigint NOT NULL,
    highest bigint NOT NULL,
    first_recorded timestamptz NOT NULL,
    last_recorded timestamptz NOT NULL,
    decided timestamptz,
    removed timestamptz,
    PRIMARY KEY (month, type, shard)
);
CREATE INDEX journal_month_types_undecided ON journal_month_types (type, month) WHERE decided IS NULL;
GRANT SELECT ON journal_month_types TO nusabus_app;

-- Up to where the entries of a type were removed: a reader that begins below misses some.
CREATE TABLE journal_floors (
    type text NOT NULL,
    shard smallint NOT NULL,
    sequence bigint NOT NULL,
    recorded timestamptz NOT NULL,
    PRIMARY KEY (type, shard)
);
GRANT SELECT ON journal_floors TO nusabus_app;

-- The report of what retention removed: `kind` is `events`, of one type, shard and month, or the name
-- of what else is kept for a time. Without any data.
CREATE TABLE retention_removals (
    number bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    removed timestamptz NOT NULL DEFAULT clock_timestamp(),
    kind text NOT NULL,
    type text,
    shard smallint,
    month date,
    count bigint NOT NULL,
    bytes bigint,
    lowest bigint,
    highest bigint,
    first_recorded timestamptz,
    last_recorded timestamptz
);
CREATE INDEX retention_removals_by_type ON retention_removals (type, number);
CREATE TRIGGER retention_removals_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON retention_removals
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
GRANT SELECT ON retention_removals TO nusabus_app;

-- Events whose time is over and that somebody still has to get: they stay until then.
CREATE TABLE retention_holds (
    month date NOT NULL,
    type text NOT NULL,
    organisation text NOT NULL,
    subscription text NOT NULL,
    reason text NOT NULL,
    entries bigint NOT NULL,
    since timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (month, type, organisation, subscription, reason)
);
GRANT SELECT ON retention_holds TO nusabus_app;

-- How far the identities were gone through, in blocks; 0 between two passes.
CREATE TABLE retention_pass (
    began timestamptz NOT NULL DEFAULT '-infinity',
    block bigint NOT NULL DEFAULT 0
);
INSERT INTO retention_pass DEFAULT VALUES;

-- Up to which chunk everything that a client sends in a stream of a name is stored: written in the
-- transaction that stores the events of that chunk. A stream that nobody goes on with is forgotten.
CREATE TABLE journal_streams (
    client text NOT NULL,
    stream text NOT NULL,
    chunk bigint NOT NULL,
    changed timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (client, stream)
) WITH (fillfactor = 50);
GRANT SELECT, INSERT, UPDATE (chunk, changed), DELETE ON journal_streams TO nusabus_app;

-- Rights. Three roles, made by the database administrator (docs/operations/database.md):
-- `nusabus_owner` owns all of this and migrates; the processes log in as members of `nusabus_app`;
-- `nusabus_retention` takes old partitions away. Each table says below its definition what the
-- processes may do with it; one that says nothing is closed to them (decision 0027).
DO $$
BEGIN
    IF (SELECT count(*) FROM pg_roles WHERE rolname IN ('nusabus_app', 'nusabus_retention')) < 2 THEN
        RAISE EXCEPTION 'The roles nusabus_app and nusabus_retention are missing. Create them with '
            'deploy/database/roles.sql, then migrate again.';
    END IF;
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO nusabus_app, nusabus_retention',
                   current_database());
END $$;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO nusabus_app, nusabus_retention;
-- A function is for nobody but its owner, unless it is granted. Triggers need no right.
ALTER DEFAULT PRIVILEGES REVOKE ALL ON FUNCTIONS FROM PUBLIC;

-- For what is only ever added, whoever tries: a trigger stops the owner's mistakes as well. With the
-- argument `retention`, retention may delete (its functions set the variable for themselves), and then
-- `keep_evidence` looks at the age of each row.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND TG_NARGS = 1 AND current_setting('nusabus.retention', true) = 'on' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION '% of % is not allowed: it is evidence and is only added to.',
        TG_OP, TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;

-- For how many days evidence of a kind is kept, NULL for ever; set by `python -m gateway migrate`.
CREATE TABLE retention_periods (
    kind text PRIMARY KEY,
    days integer CHECK (days > 0)
);
INSERT INTO retention_periods VALUES ('refusals', NULL), ('dead_letters', NULL), ('identities', NULL);

-- Its arguments: the kind, and the column that says how old a row is.
CREATE FUNCTION keep_evidence() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    v_at timestamptz;
BEGIN
    EXECUTE format('SELECT ($1).%I', TG_ARGV[1]) INTO v_at USING OLD;
    IF NOT EXISTS (SELECT FROM public.retention_periods p WHERE p.kind = TG_ARGV[0]
                   AND v_at < clock_timestamp() - make_interval(days => p.days)) THEN
        RAISE EXCEPTION 'DELETE of % is not allowed before its time: it is evidence.',
            TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN OLD;
END $$;

-- A counter per topic of administration. It rises with every change, so that each process notices
-- by one small query that its copy of organisations, contracts or subscriptions is out of date.
-- One row is updated again and again: room on its page keeps the updates off the index (HOT).
CREATE TABLE control_revisions (
    topic text PRIMARY KEY,
    revision bigint NOT NULL
) WITH (fillfactor = 50);

INSERT INTO control_revisions VALUES ('identity', 0), ('contracts', 0), ('subscriptions', 0);
GRANT SELECT, UPDATE (revision) ON control_revisions TO nusabus_app;

-- What each api process has loaded of a topic: who changes something waits for all of them. It may
-- be empty after a crash, when each process reports again.
CREATE UNLOGGED TABLE control_snapshots (
    process text NOT NULL,
    topic text NOT NULL,
    revision bigint NOT NULL,
    seen timestamptz NOT NULL,
    PRIMARY KEY (process, topic)
) WITH (fillfactor = 50);
GRANT SELECT, INSERT, UPDATE (revision, seen), DELETE ON control_snapshots TO nusabus_app;

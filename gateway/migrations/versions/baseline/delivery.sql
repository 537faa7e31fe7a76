-- Deliveries that the gateway makes from the journal, dead letters, and the delivery ledger.
--
-- The tables refer to a subscription by organisation and name. What must not outlive it has a
-- foreign key; what is evidence (attempts, settlements, dead letters) has none.

-- How far a subscription is in each shard: every entry up to `sequence` that the subscription gets
-- is settled or has a row in delivery_open. Rows are for exceptions only, so a subscription that is
-- millions of events late costs no more than another. `recorded` lets readers skip older
-- partitions. Updated often: half-empty pages keep the updates off the index (HOT).
CREATE TABLE delivery_cursors (
    organisation text NOT NULL,
    name text NOT NULL,
    shard smallint NOT NULL,
    start bigint NOT NULL,
    sequence bigint NOT NULL,
    recorded timestamptz NOT NULL DEFAULT '-infinity',
    PRIMARY KEY (organisation, name, shard),
    FOREIGN KEY (organisation, name) REFERENCES subscriptions ON DELETE CASCADE
) WITH (fillfactor = 50);
GRANT SELECT, INSERT, UPDATE (sequence, recorded) ON delivery_cursors TO nusabus_app;

-- Deliveries that are not settled: handed out, given back, waiting for another try, or waiting for
-- an earlier one of their ordering key. Test events are here with a negative shard.
CREATE TABLE delivery_open (
    organisation text NOT NULL,
    name text NOT NULL,
    shard smallint NOT NULL,
    sequence bigint NOT NULL,
    recorded timestamptz NOT NULL,
    type text NOT NULL,
    ordering_key text NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    due timestamptz NOT NULL,
    lock bytea,
    redriven timestamptz,
    PRIMARY KEY (organisation, name, shard, sequence),
    FOREIGN KEY (organisation, name) REFERENCES subscriptions ON DELETE CASCADE
);
CREATE INDEX delivery_open_by_due ON delivery_open (organisation, name, due);
CREATE INDEX delivery_open_by_ordering_key
    ON delivery_open (organisation, name, ordering_key, sequence) WHERE ordering_key <> '';
GRANT SELECT, INSERT, UPDATE (attempts, due, lock), DELETE ON delivery_open TO nusabus_app;

-- Days for which the delivery ledger is kept, set by `python -m gateway migrate`.
CREATE TABLE delivery_retention (
    days integer NOT NULL CHECK (days > 0)
);
INSERT INTO delivery_retention VALUES (90);

-- The ledger is evidence: what is younger than that goes by nobody's hand.
CREATE FUNCTION keep_ledger() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.at >= clock_timestamp() - make_interval(days => (SELECT days FROM delivery_retention)) THEN
        RAISE EXCEPTION 'DELETE of % is not allowed before its time: it is evidence.',
            TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN OLD;
END $$;

-- Attempts that failed.
CREATE TABLE delivery_attempts (
    organisation text NOT NULL,
    name text NOT NULL,
    shard smallint NOT NULL,
    sequence bigint NOT NULL,
    number integer NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    failure text NOT NULL,
    detail text NOT NULL
);
CREATE INDEX delivery_attempts_by_position
    ON delivery_attempts (organisation, name, shard, sequence);
CREATE TRIGGER delivery_attempts_append_only BEFORE UPDATE OR TRUNCATE ON delivery_attempts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER delivery_attempts_keep BEFORE DELETE ON delivery_attempts
    FOR EACH ROW EXECUTE FUNCTION keep_ledger();
GRANT SELECT, INSERT ON delivery_attempts TO nusabus_app;

-- The delivery ledger. One row tells of all that was settled at once in a shard; the range without
-- `sequences` was skipped by a seek. The index finds the few rows whose range may hold a sequence.
CREATE TABLE delivery_settlements (
    organisation text NOT NULL,
    name text NOT NULL,
    shard smallint NOT NULL,
    lowest bigint NOT NULL,
    highest bigint NOT NULL,
    sequences bigint[] NOT NULL,
    settlement text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX delivery_settlements_by_highest
    ON delivery_settlements (organisation, name, shard, highest);
CREATE TRIGGER delivery_settlements_append_only BEFORE UPDATE OR TRUNCATE ON delivery_settlements
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER delivery_settlements_keep BEFORE DELETE ON delivery_settlements
    FOR EACH ROW EXECUTE FUNCTION keep_ledger();
GRANT SELECT, INSERT ON delivery_settlements TO nusabus_app;

-- A rate is a token bucket: so many tokens were left at that time.
CREATE TABLE delivery_rates (
    organisation text NOT NULL,
    name text NOT NULL,
    tokens double precision NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (organisation, name),
    FOREIGN KEY (organisation, name) REFERENCES subscriptions ON DELETE CASCADE
) WITH (fillfactor = 50);
GRANT SELECT, INSERT, UPDATE (tokens, at) ON delivery_rates TO nusabus_app;

-- Epochs come from one sequence, so that a subscription that ends and is made again under its name
-- has no epoch of its predecessor.
CREATE SEQUENCE delivery_epochs;
GRANT USAGE ON SEQUENCE delivery_epochs TO nusabus_app;

-- Which dispatcher calls the endpoint of a subscription.
CREATE TABLE delivery_leases (
    organisation text NOT NULL,
    name text NOT NULL,
    epoch bigint NOT NULL,
    holder text,
    expires timestamptz NOT NULL,
    PRIMARY KEY (organisation, name),
    FOREIGN KEY (organisation, name) REFERENCES subscriptions ON DELETE CASCADE
) WITH (fillfactor = 50);
GRANT SELECT, INSERT, UPDATE (epoch, holder, expires) ON delivery_leases TO nusabus_app;

-- The dispatchers that are alive, so that each takes its share of the subscriptions.
CREATE TABLE delivery_dispatchers (
    name text PRIMARY KEY,
    seen timestamptz NOT NULL
);
GRANT SELECT, INSERT, UPDATE (seen), DELETE ON delivery_dispatchers TO nusabus_app;

-- Deliveries that failed for good. `key` makes the resend of a corrected event idempotent. `seen`:
-- when somebody first looked at it; `alerted`: it was reported that nobody did. `report`: the state
-- of its non-delivery report, and the position of the event that was published for it.
CREATE TABLE dead_letters (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key uuid NOT NULL DEFAULT gen_random_uuid(),
    organisation text NOT NULL,
    name text NOT NULL,
    shard smallint NOT NULL,
    sequence bigint NOT NULL,
    recorded timestamptz NOT NULL,
    type text NOT NULL,
    ordering_key text NOT NULL DEFAULT '',
    publisher text,
    source text,
    event_id text,
    trace_id text,
    died timestamptz NOT NULL DEFAULT clock_timestamp(),
    failure text NOT NULL,
    detail text NOT NULL,
    attempts integer NOT NULL,
    state text NOT NULL DEFAULT 'dead'
        CHECK (state IN ('dead', 'redriven', 'discarded', 'resent')),
    changed timestamptz NOT NULL DEFAULT clock_timestamp(),
    changed_by text,
    note text,
    resent_shard smallint,
    resent_sequence bigint,
    seen timestamptz,
    seen_by text,
    alerted boolean NOT NULL DEFAULT false,
    report text NOT NULL DEFAULT 'open' CHECK (report IN ('open', 'none', 'sent', 'refused')),
    report_shard smallint,
    report_sequence bigint
);
-- A delivery is dead once at a time, however often its queue or a dispatcher says so.
CREATE UNIQUE INDEX dead_letters_dead_once
    ON dead_letters (organisation, name, shard, sequence) WHERE state = 'dead';
CREATE INDEX dead_letters_by_subscription ON dead_letters (organisation, name, number);
CREATE INDEX dead_letters_by_publisher ON dead_letters (publisher, number);
CREATE INDEX dead_letters_by_event_id ON dead_letters (event_id);
CREATE INDEX dead_letters_by_trace_id ON dead_letters (trace_id) WHERE trace_id IS NOT NULL;
-- Of a million dead letters, one page of those of one organisation that are still dead took 840 ms
-- without the next two indexes and 0.3 ms with them.
CREATE INDEX dead_letters_dead_by_organisation
    ON dead_letters (organisation, number) WHERE state = 'dead';
CREATE INDEX dead_letters_dead_by_publisher
    ON dead_letters (publisher, number) WHERE state = 'dead';
CREATE INDEX dead_letters_unseen
    ON dead_letters (organisation, name, died) WHERE state = 'dead' AND seen IS NULL;
CREATE INDEX dead_letters_unalerted
    ON dead_letters (died) WHERE state = 'dead' AND seen IS NULL AND NOT alerted;
CREATE INDEX dead_letters_unreported ON dead_letters (number) WHERE report = 'open';
CREATE TRIGGER dead_letters_no_delete BEFORE DELETE OR TRUNCATE ON dead_letters
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change('retention');
CREATE TRIGGER dead_letters_keep BEFORE DELETE ON dead_letters
    FOR EACH ROW WHEN (OLD.state <> 'dead')
    EXECUTE FUNCTION keep_evidence('dead_letters', 'changed');
CREATE TRIGGER dead_letters_keep_dead BEFORE DELETE ON dead_letters
    FOR EACH ROW WHEN (OLD.state = 'dead') EXECUTE FUNCTION refuse_change();
-- What happened to it may be added; what failed, when and why stays as it was written.
GRANT SELECT, INSERT,
    UPDATE (state, changed, changed_by, note, resent_shard, resent_sequence, seen, seen_by, alerted,
            report, report_shard, report_sequence)
    ON dead_letters TO nusabus_app;

-- Delete what is older than the ledger is kept; the attempts of a dead letter stay with it. For the
-- processes, with the owner's rights: they can neither choose the age nor the rows.
CREATE FUNCTION delivery_forget() RETURNS void LANGUAGE sql
SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    DELETE FROM delivery_settlements WHERE at < clock_timestamp()
        - make_interval(days => (SELECT days FROM delivery_retention));
    DELETE FROM delivery_attempts a WHERE a.at < clock_timestamp()
        - make_interval(days => (SELECT days FROM delivery_retention))
      AND NOT EXISTS (SELECT FROM dead_letters d WHERE d.organisation = a.organisation
        AND d.name = a.name AND d.shard = a.shard AND d.sequence = a.sequence AND d.state = 'dead');
$$;
GRANT EXECUTE ON FUNCTION delivery_forget TO nusabus_app;

-- A delivery may fail for good in one of several statements, and none of them knows more of the
-- event than its position. So the database adds the rest.
CREATE FUNCTION add_event_facts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT e.publisher, e.source, e.id,
           substring(e.attributes::json ->> 'traceparent' FROM '^[0-9a-f]{2}-([0-9a-f]{32})-')
    INTO NEW.publisher, NEW.source, NEW.event_id, NEW.trace_id
    FROM journal_entries e
    WHERE e.shard = NEW.shard AND e.sequence = NEW.sequence AND e.recorded = NEW.recorded;
    RETURN NEW;
END $$;
CREATE TRIGGER dead_letters_add_event_facts BEFORE INSERT ON dead_letters
    FOR EACH ROW EXECUTE FUNCTION add_event_facts();

-- Redrives of many dead letters. `query` is JSON: which ones. `upto` is the newest of them when
-- the redrive began, `reached` the last one that was worked on.
CREATE TABLE redrives (
    id text PRIMARY KEY,
    organisation text,
    query text NOT NULL,
    rate integer NOT NULL,
    state text NOT NULL DEFAULT 'running'
        CHECK (state IN ('running', 'finished', 'cancelled')),
    reached bigint NOT NULL DEFAULT 0,
    upto bigint NOT NULL,
    total bigint NOT NULL,
    sent bigint NOT NULL DEFAULT 0,
    failed bigint NOT NULL DEFAULT 0,
    last_error text,
    created timestamptz NOT NULL DEFAULT clock_timestamp(),
    created_by text NOT NULL,
    changed timestamptz NOT NULL DEFAULT clock_timestamp()
);
GRANT SELECT, INSERT, UPDATE (state, reached, sent, failed, last_error, changed)
    ON redrives TO nusabus_app;

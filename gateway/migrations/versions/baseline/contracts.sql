-- The contract registry. Events refer to contracts for ever, so nothing here is ever deleted, and
-- triggers hold administrators to that too.

-- Numbers for contracts.changed. They are taken while the topic is locked, so their order is the
-- order of commits and a catalogue that asks for "changed > n" misses nothing.
CREATE SEQUENCE contract_change_numbers;
GRANT USAGE ON SEQUENCE contract_change_numbers TO nusabus_app;

-- `revision` is for administrators (If-Match), `changed` for catalogues. A contract without `mode`
-- and `policy` follows contract_rules. `retention_days`: how long its events are kept, NULL for ever;
-- the database itself notes when that was changed, because what is new waits a week.
CREATE TABLE contracts (
    type text PRIMARY KEY,
    owner text NOT NULL REFERENCES organisations,
    title text NOT NULL,
    description text NOT NULL,
    pattern text NOT NULL
        CHECK (pattern IN ('publish-subscribe', 'point-to-point', 'request-reply')),
    classification text NOT NULL
        CHECK (classification IN ('public', 'internal', 'confidential', 'secret')),
    ordering_key text NOT NULL,
    ordering_description text NOT NULL,
    non_delivery_report text,
    retention_days integer CHECK (retention_days BETWEEN 1 AND 36500),
    retention_changed timestamptz NOT NULL DEFAULT clock_timestamp(),
    created timestamptz NOT NULL,
    revision bigint NOT NULL DEFAULT 1,
    changed bigint NOT NULL DEFAULT 0,
    mode text CHECK (mode IN ('none', 'backward', 'forward', 'full', 'backward-transitive',
                              'forward-transitive', 'full-transitive')),
    policy text CHECK (policy IN ('strict', 'optional-friendly')),
    CHECK ((mode IS NULL) = (policy IS NULL))
);
CREATE INDEX contracts_by_change ON contracts (changed);
CREATE FUNCTION note_retention_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.retention_changed := clock_timestamp();
    RETURN NEW;
END $$;
CREATE TRIGGER contracts_note_retention_change BEFORE UPDATE ON contracts
    FOR EACH ROW WHEN (OLD.retention_days IS DISTINCT FROM NEW.retention_days)
    EXECUTE FUNCTION note_retention_change();
CREATE TRIGGER contracts_no_delete BEFORE DELETE OR TRUNCATE ON contracts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
GRANT SELECT, INSERT,
    UPDATE (title, description, classification, ordering_key, ordering_description,
            non_delivery_report, retention_days, revision, changed, mode, policy)
    ON contracts TO nusabus_app;

-- Schemas are bytes and not jsonb: they are given back exactly as they were registered.
-- `bundle` is the text with every schema that it refers to inside, NULL where it refers to none.
-- `closed`: publishers are held to its closed form, as the policy optional-friendly says.
CREATE TABLE contract_versions (
    type text NOT NULL REFERENCES contracts,
    number integer NOT NULL CHECK (number > 0),
    digest bytea NOT NULL CHECK (length(digest) = 32),
    text bytea NOT NULL,
    reply bytea,
    created timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'active'
        CHECK (state IN ('draft', 'active', 'deprecated', 'retired')),
    bundle bytea,
    reply_bundle bytea,
    closed boolean NOT NULL DEFAULT false,
    -- The largest event that is cheap enough to be validated on the event loop, as measured.
    inline_bytes integer NOT NULL CHECK (inline_bytes >= 0),
    examples bytea,
    comparison bytea,
    registered_by text,
    approved_by text,
    deprecated timestamptz,
    sunset timestamptz,
    successor text,
    PRIMARY KEY (type, number),
    CHECK (state <> 'deprecated' OR deprecated IS NOT NULL)
);
CREATE UNIQUE INDEX contract_versions_by_digest ON contract_versions (type, digest);
CREATE TRIGGER contract_versions_no_delete BEFORE DELETE OR TRUNCATE ON contract_versions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER contract_versions_no_other_schema BEFORE UPDATE ON contract_versions
    FOR EACH ROW WHEN (
        (OLD.type, OLD.number, OLD.digest, OLD.text, OLD.reply)
        IS DISTINCT FROM (NEW.type, NEW.number, NEW.digest, NEW.text, NEW.reply)
    ) EXECUTE FUNCTION refuse_change();
GRANT SELECT, INSERT, UPDATE (state, approved_by, deprecated, sunset, successor)
    ON contract_versions TO nusabus_app;

CREATE TABLE contract_examples (
    type text NOT NULL REFERENCES contracts,
    kind text NOT NULL CHECK (kind IN ('valid', 'invalid', 'valid-reply', 'invalid-reply')),
    name text NOT NULL,
    document bytea NOT NULL,
    PRIMARY KEY (type, kind, name)
);
GRANT SELECT, INSERT, DELETE ON contract_examples TO nusabus_app;

-- The compatibility that holds where a contract names none, and lint rules with another level.
-- The row with the empty organisation is for all.
CREATE TABLE contract_rules (
    organisation text PRIMARY KEY,
    mode text NOT NULL CHECK (mode IN ('none', 'backward', 'forward', 'full', 'backward-transitive',
                                       'forward-transitive', 'full-transitive')),
    policy text NOT NULL CHECK (policy IN ('strict', 'optional-friendly')),
    lint bytea NOT NULL DEFAULT '{}',
    revision bigint NOT NULL DEFAULT 1
);
INSERT INTO contract_rules (organisation, mode, policy) VALUES ('', 'backward', 'strict');
GRANT SELECT, INSERT, UPDATE (mode, policy, lint, revision) ON contract_rules TO nusabus_app;

-- Who changed what.
CREATE TABLE contract_history (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    type text NOT NULL,
    recorded timestamptz NOT NULL,
    client text NOT NULL,
    organisation text NOT NULL,
    action text NOT NULL,
    version integer,
    detail bytea NOT NULL
);
CREATE INDEX contract_history_by_type ON contract_history (type, number);
CREATE TRIGGER contract_history_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON contract_history
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
GRANT SELECT, INSERT ON contract_history TO nusabus_app;

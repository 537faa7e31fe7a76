-- Organisations, their clients and grants, and the keys that sign access tokens.

-- Numbers for `changed`. They are taken while the topic is locked, so their order is the order of
-- commits, and a directory that asks for "changed > n" misses nothing.
CREATE SEQUENCE identity_change_numbers;
GRANT USAGE ON SEQUENCE identity_change_numbers TO nusabus_app;

-- A suspended organisation keeps everything and may do nothing; the operator cannot be suspended.
-- `changed` rises with every change of the row and of its grants and source prefixes. `quotas` holds
-- those that differ from the defaults, by name; `quota_revision` rises with each change of them.
CREATE TABLE organisations (
    name text PRIMARY KEY CHECK (name ~ '^[a-z][a-z0-9-]{1,30}$'),
    title text NOT NULL,
    description text NOT NULL,
    operator boolean NOT NULL,
    created timestamptz NOT NULL,
    suspended timestamptz,
    suspension_reason text,
    quotas jsonb NOT NULL DEFAULT '{}',
    quota_revision bigint NOT NULL DEFAULT 1,
    changed bigint NOT NULL DEFAULT 0,
    CHECK ((suspended IS NULL) = (suspension_reason IS NULL)),
    CHECK (NOT operator OR suspended IS NULL)
);
CREATE INDEX organisations_by_change ON organisations (changed);
GRANT SELECT, INSERT,
    UPDATE (title, description, operator, suspended, suspension_reason, quotas, quota_revision,
            changed)
    ON organisations TO nusabus_app;

-- `changed` rises with every change of the row and of the client's secrets and certificates.
CREATE TABLE clients (
    id text PRIMARY KEY,
    organisation text NOT NULL REFERENCES organisations,
    title text NOT NULL,
    roles text[] NOT NULL
        CHECK (roles <@ ARRAY['admin', 'publisher', 'subscriber', 'auditor']),
    state text NOT NULL CHECK (state IN ('active', 'disabled')),
    created timestamptz NOT NULL,
    quotas jsonb NOT NULL DEFAULT '{}',
    changed bigint NOT NULL DEFAULT 0
);
CREATE INDEX clients_by_change ON clients (changed);
CREATE INDEX clients_by_organisation ON clients (organisation, id);
GRANT SELECT, INSERT, UPDATE (title, roles, state, quotas, changed) ON clients TO nusabus_app;

-- A client may have several secrets, so that one is replaced without an interruption.
CREATE TABLE client_secrets (
    id text PRIMARY KEY,
    client text NOT NULL REFERENCES clients,
    digest bytea NOT NULL CHECK (length(digest) = 32),
    created timestamptz NOT NULL
);
CREATE INDEX client_secrets_by_client ON client_secrets (client);
GRANT SELECT, INSERT, DELETE ON client_secrets TO nusabus_app;

-- What a client shows in place of a secret (RFC 8705): a self-signed certificate, or a name that is in
-- a certificate of an authority which the operator trusts.
CREATE TABLE client_certificates (
    id text PRIMARY KEY,
    client text NOT NULL REFERENCES clients,
    kind text NOT NULL CHECK (kind IN ('certificate', 'subject_dn', 'san_dns', 'san_uri')),
    value text NOT NULL CHECK (length(value) BETWEEN 1 AND 1000),
    der bytea CHECK (length(der) <= 8192),
    created timestamptz NOT NULL,
    UNIQUE (client, kind, value),
    CHECK ((kind = 'certificate') = (der IS NOT NULL))
);
GRANT SELECT, INSERT, DELETE ON client_certificates TO nusabus_app;

CREATE TABLE grants (
    id text PRIMARY KEY,
    organisation text NOT NULL REFERENCES organisations,
    action text NOT NULL CHECK (action IN ('publish', 'subscribe')),
    type text NOT NULL,
    granted_by text NOT NULL REFERENCES clients,
    created timestamptz NOT NULL,
    UNIQUE (organisation, action, type)
);
GRANT SELECT, INSERT, DELETE ON grants TO nusabus_app;

-- Who owns the sources under a prefix: an organisation, or the gateway itself (NULL). A prefix is in
-- normal form and ends with the delimiter of its segments: /x/, https://x/, urn:x:. The range is that
-- of all texts that begin with it, so no two prefixes overlap; sources are ASCII.
CREATE TYPE text_range AS RANGE (subtype = text, collation = "C");
GRANT EXECUTE ON FUNCTION text_range(text, text) TO nusabus_app;
CREATE TABLE source_prefixes (
    id text PRIMARY KEY,
    prefix text NOT NULL CHECK (prefix ~ '^[!-~]+[/:]$'),
    organisation text REFERENCES organisations,
    assigned_by text,
    created timestamptz NOT NULL,
    CONSTRAINT source_prefixes_never_overlap
        EXCLUDE USING gist (text_range(prefix, prefix || chr(127)) WITH &&)
);
CREATE INDEX source_prefixes_by_organisation ON source_prefixes (organisation, id);
INSERT INTO source_prefixes VALUES ('nusabus', '/nusabus/', NULL, NULL, now());
GRANT SELECT, INSERT, DELETE ON source_prefixes TO nusabus_app;

-- An organisation owns the sources under its name, however it was made.
CREATE FUNCTION own_sources_under_name() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO source_prefixes
    VALUES (NEW.name, '/' || NEW.name || '/', NEW.name, NULL, NEW.created);
    RETURN NULL;
END $$;
CREATE TRIGGER organisations_own_sources AFTER INSERT ON organisations
    FOR EACH ROW WHEN (NEW.name <> 'nusabus') EXECUTE FUNCTION own_sources_under_name();

-- The numbers come from triggers, so that no statement can forget one.
CREATE FUNCTION number_identity_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.changed := nextval('identity_change_numbers');
    RETURN NEW;
END $$;
CREATE TRIGGER organisations_number_change BEFORE INSERT OR UPDATE ON organisations
    FOR EACH ROW EXECUTE FUNCTION number_identity_change();
CREATE TRIGGER clients_number_change BEFORE INSERT OR UPDATE ON clients
    FOR EACH ROW EXECUTE FUNCTION number_identity_change();

CREATE FUNCTION note_secret_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE clients SET changed = 0 WHERE id IN (OLD.client, NEW.client);
    RETURN NULL;
END $$;
CREATE TRIGGER client_secrets_note_change AFTER INSERT OR UPDATE OR DELETE ON client_secrets
    FOR EACH ROW EXECUTE FUNCTION note_secret_change();
CREATE TRIGGER client_certificates_note_change AFTER INSERT OR UPDATE OR DELETE
    ON client_certificates FOR EACH ROW EXECUTE FUNCTION note_secret_change();

CREATE FUNCTION note_right_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE organisations SET changed = 0 WHERE name IN (OLD.organisation, NEW.organisation);
    RETURN NULL;
END $$;
CREATE TRIGGER grants_note_change AFTER INSERT OR UPDATE OR DELETE ON grants
    FOR EACH ROW EXECUTE FUNCTION note_right_change();
CREATE TRIGGER source_prefixes_note_change AFTER INSERT OR UPDATE OR DELETE ON source_prefixes
    FOR EACH ROW EXECUTE FUNCTION note_right_change();

-- `sealed` is the private key, encrypted. There is one active key and at most one that comes next.
CREATE TABLE signing_keys (
    kid text PRIMARY KEY,
    public jsonb NOT NULL,
    sealed bytea NOT NULL,
    state text NOT NULL CHECK (state IN ('next', 'active', 'retired')),
    created timestamptz NOT NULL,
    activated timestamptz,
    retired timestamptz
);
CREATE UNIQUE INDEX signing_keys_one_per_state ON signing_keys (state) WHERE state <> 'retired';
GRANT SELECT, INSERT, UPDATE (state, activated, retired), DELETE ON signing_keys TO nusabus_app;

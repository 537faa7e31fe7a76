-- Organisations, their clients and grants, and the keys that sign access tokens.

CREATE TABLE organisations (
    name text PRIMARY KEY CHECK (name ~ '^[a-z][a-z0-9-]{1,30}$'),
    title text NOT NULL,
    description text NOT NULL,
    operator boolean NOT NULL,
    created timestamptz NOT NULL
);

CREATE TABLE clients (
    id text PRIMARY KEY,
    organisation text NOT NULL REFERENCES organisations,
    title text NOT NULL,
    roles text[] NOT NULL
        CHECK (roles <@ ARRAY['admin', 'publisher', 'subscriber', 'auditor']),
    state text NOT NULL CHECK (state IN ('active', 'disabled')),
    created timestamptz NOT NULL
);
CREATE INDEX clients_by_organisation ON clients (organisation, id);

-- A client may have several secrets, so that one is replaced without an interruption.
CREATE TABLE client_secrets (
    id text PRIMARY KEY,
    client text NOT NULL REFERENCES clients,
    digest bytea NOT NULL CHECK (length(digest) = 32),
    created timestamptz NOT NULL
);
CREATE INDEX client_secrets_by_client ON client_secrets (client);

CREATE TABLE grants (
    id text PRIMARY KEY,
    organisation text NOT NULL REFERENCES organisations,
    action text NOT NULL CHECK (action IN ('publish', 'subscribe')),
    type text NOT NULL,
    granted_by text NOT NULL REFERENCES clients,
    created timestamptz NOT NULL,
    UNIQUE (organisation, action, type)
);

-- Who owns the sources under a prefix: an organisation, or the gateway itself (NULL). A prefix is in
-- normal form and ends with the delimiter of its segments: /x/, https://x/, urn:x:. The range is that
-- of all texts that begin with it, so no two prefixes overlap; sources are ASCII.
CREATE TYPE text_range AS RANGE (subtype = text, collation = "C");
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

-- An organisation owns the sources under its name, however it was made.
CREATE FUNCTION own_sources_under_name() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO source_prefixes
    VALUES (NEW.name, '/' || NEW.name || '/', NEW.name, NULL, NEW.created);
    RETURN NULL;
END $$;
CREATE TRIGGER organisations_own_sources AFTER INSERT ON organisations
    FOR EACH ROW WHEN (NEW.name <> 'nusabus') EXECUTE FUNCTION own_sources_under_name();

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

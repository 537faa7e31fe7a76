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

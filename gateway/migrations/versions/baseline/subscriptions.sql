-- Subscriptions, how far each has come, and the endpoints and keys of webhooks.

-- `terms` is JSON. `generation` rises whenever a subscription begins to catch up again, so that
-- writes of an earlier generation change nothing. `diverted`: since when the queue is too deep and
-- what follows waits in the journal (decision 0014). `unavailable`: since when its queue cannot work
-- (decision 0029). `password_client` and `password_credential`: by whose token the password of the broker
-- user was made; it is void when either of them is.
CREATE TABLE subscriptions (
    organisation text NOT NULL REFERENCES organisations,
    name text NOT NULL CHECK (name ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    types text[] NOT NULL CHECK (cardinality(types) BETWEEN 1 AND 100),
    point_to_point boolean NOT NULL,
    is_responder boolean NOT NULL DEFAULT false,
    ordered boolean NOT NULL,
    start text NOT NULL,
    delivery text NOT NULL DEFAULT 'amqp',
    terms text NOT NULL DEFAULT '{}',
    state text NOT NULL CHECK (state IN ('catching-up', 'active', 'diverting', 'suspended')),
    generation integer NOT NULL,
    paused boolean NOT NULL DEFAULT false,
    pause_reason text,
    diverted timestamptz,
    unavailable timestamptz,
    repairs integer NOT NULL DEFAULT 0,
    password_hash text NOT NULL,
    password_client text NOT NULL DEFAULT '',
    password_credential text NOT NULL DEFAULT '',
    created timestamptz NOT NULL,
    created_by text NOT NULL REFERENCES clients,
    PRIMARY KEY (organisation, name)
);
GRANT SELECT, INSERT, DELETE,
    UPDATE (terms, state, generation, paused, pause_reason, diverted, unavailable, repairs,
            password_hash, password_client, password_credential)
    ON subscriptions TO nusabus_app;

-- How far a subscription with a queue is in each shard, as sequences. `start`: it gets what is
-- above. `backfilled`: up to here it was backfilled. `joined`: the relay of the shard sends it what
-- is new. `routed`: up to here all is known to have reached the queue; `drained`: and to have left
-- it. Updated often: half-empty pages keep the updates off the index (HOT).
CREATE TABLE subscription_cursors (
    organisation text NOT NULL,
    name text NOT NULL,
    shard smallint NOT NULL,
    start bigint NOT NULL,
    backfilled bigint NOT NULL,
    joined boolean NOT NULL DEFAULT false,
    routed bigint NOT NULL,
    drained bigint NOT NULL,
    PRIMARY KEY (organisation, name, shard),
    FOREIGN KEY (organisation, name) REFERENCES subscriptions ON DELETE CASCADE
) WITH (fillfactor = 50);
GRANT SELECT, INSERT, UPDATE (backfilled, joined, routed, drained)
    ON subscription_cursors TO nusabus_app;

-- Up to where the events of a point-to-point type were delivered before its subscription ended: the
-- next one starts here.
CREATE TABLE point_to_point_positions (
    type text NOT NULL,
    shard smallint NOT NULL,
    sequence bigint NOT NULL,
    PRIMARY KEY (type, shard)
);
GRANT SELECT, INSERT, UPDATE (sequence) ON point_to_point_positions TO nusabus_app;

-- What is known of a webhook's endpoint: which URL agreed to be called and how often, and why
-- nothing is delivered now.
CREATE TABLE webhook_endpoints (
    organisation text NOT NULL,
    name text NOT NULL,
    agreed_url text,
    agreed_rate double precision,
    last_error text,
    changed timestamptz NOT NULL,
    PRIMARY KEY (organisation, name),
    FOREIGN KEY (organisation, name) REFERENCES subscriptions ON DELETE CASCADE
);
GRANT SELECT, INSERT, UPDATE (agreed_url, agreed_rate, last_error, changed)
    ON webhook_endpoints TO nusabus_app;

-- The keys that sign webhook calls; `sealed` is the secret or private key, encrypted. A key that
-- was replaced still signs until it `ends`.
CREATE TABLE webhook_keys (
    organisation text NOT NULL,
    name text NOT NULL,
    id text NOT NULL,
    signature text NOT NULL CHECK (signature IN ('hmac', 'ed25519')),
    public text,
    sealed bytea NOT NULL,
    created timestamptz NOT NULL,
    ends timestamptz,
    PRIMARY KEY (organisation, name, id),
    FOREIGN KEY (organisation, name) REFERENCES subscriptions ON DELETE CASCADE
);
GRANT SELECT, INSERT, UPDATE (ends), DELETE ON webhook_keys TO nusabus_app;

"""Contracts as a registry: states, compatibility, who changed what, and nothing is ever deleted."""

from alembic import op

revision = "0006_contract_registry"
down_revision = "0005_deliveries"

MODES = (
    "'none', 'backward', 'forward', 'full', "
    "'backward-transitive', 'forward-transitive', 'full-transitive'"
)
POLICIES = "'strict', 'optional-friendly'"

CONTRACTS = (
    # Taken while the topic is locked, so its order is the order of commits.
    "CREATE SEQUENCE contract_changed",
    f"""
    ALTER TABLE contracts
        ADD COLUMN revision bigint NOT NULL DEFAULT 1,
        ADD COLUMN changed bigint NOT NULL DEFAULT 0,
        ADD COLUMN mode text CHECK (mode IN ({MODES})),
        ADD COLUMN policy text CHECK (policy IN ({POLICIES})),
        ADD CHECK ((mode IS NULL) = (policy IS NULL))
    """,
    "CREATE INDEX contracts_changed ON contracts (changed)",
    # What holds where a contract names no rule, and the levels of lint that were raised; the row
    # without an organisation is for all.
    f"""
    CREATE TABLE contract_rules (
        organisation text PRIMARY KEY,
        mode text NOT NULL CHECK (mode IN ({MODES})),
        policy text NOT NULL CHECK (policy IN ({POLICIES})),
        lint bytea NOT NULL DEFAULT '{{}}',
        revision bigint NOT NULL DEFAULT 1
    )
    """,
    "INSERT INTO contract_rules (organisation, mode, policy) VALUES ('', 'backward', 'strict')",
)

# `bundle` is the text with every schema that it refers to inside; null where it refers to none.
# `closed`: publishers are held to its closed form, as the policy optional-friendly says.
VERSIONS = (
    """
    ALTER TABLE contract_versions
        ADD COLUMN state text NOT NULL DEFAULT 'active'
            CHECK (state IN ('draft', 'active', 'deprecated', 'retired')),
        ADD COLUMN bundle bytea,
        ADD COLUMN reply_bundle bytea,
        ADD COLUMN closed boolean NOT NULL DEFAULT false,
        ADD COLUMN examples bytea,
        ADD COLUMN verdict bytea,
        ADD COLUMN registered_by text,
        ADD COLUMN approved_by text,
        ADD COLUMN deprecated timestamptz,
        ADD COLUMN sunset timestamptz,
        ADD COLUMN successor text,
        ADD CHECK (state <> 'deprecated' OR deprecated IS NOT NULL)
    """,
    "CREATE UNIQUE INDEX contract_versions_digest ON contract_versions (type, digest)",
)

HISTORY = (
    """
    CREATE TABLE contract_history (
        number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        type text NOT NULL,
        recorded timestamptz NOT NULL,
        client text NOT NULL,
        organisation text NOT NULL,
        action text NOT NULL,
        version integer,
        detail bytea NOT NULL
    )
    """,
    "CREATE INDEX contract_history_type ON contract_history (type, number)",
    """
    CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION '% of % is not allowed: events refer to it', TG_OP, TG_TABLE_NAME;
    END $$
    """,
    """
    CREATE TRIGGER contract_history_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON contract_history
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
    """,
    """
    CREATE TRIGGER contracts_stay BEFORE DELETE OR TRUNCATE ON contracts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
    """,
    """
    CREATE TRIGGER contract_versions_stay BEFORE DELETE OR TRUNCATE ON contract_versions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
    """,
    """
    CREATE TRIGGER contract_schemas_stay BEFORE UPDATE ON contract_versions
    FOR EACH ROW WHEN (
        (OLD.type, OLD.number, OLD.digest, OLD.text, OLD.reply)
        IS DISTINCT FROM (NEW.type, NEW.number, NEW.digest, NEW.text, NEW.reply)
    ) EXECUTE FUNCTION refuse_change()
    """,
)


def upgrade() -> None:
    """Make what the registry needs; the versions that are there are active."""
    for statement in (*CONTRACTS, *VERSIONS, *HISTORY):
        op.execute(statement)

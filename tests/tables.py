"""Which room owns which table. Only the owner reads and writes it; others ask the owner."""

OWNED: dict[str, frozenset[str]] = {
    "base": frozenset({"control_revisions", "control_snapshots", "retention_periods"}),
    "journal": frozenset(
        {
            "journal_detachments",
            "journal_entries_default",
            "journal_floors",
            "journal_identities",
            "journal_gaps",
            "journal_incarnations",
            "journal_leases",
            "journal_month_shards",
            "journal_month_types",
            "journal_months",
            "journal_origins",
            "journal_relays",
            "journal_rows",
            "journal_shards",
            "journal_streams",
            "refusals",
            "retention_holds",
            "retention_pass",
            "retention_removals",
        }
    ),
    "identity": frozenset(
        {
            "organisations",
            "clients",
            "client_certificates",
            "client_secrets",
            "grants",
            "source_prefixes",
            "signing_keys",
        }
    ),
    "contracts": frozenset(
        {
            "contracts",
            "contract_versions",
            "contract_examples",
            "contract_rules",
            "contract_history",
        }
    ),
    "subscriptions": frozenset(
        {
            "subscriptions",
            "subscription_cursors",
            "point_to_point_positions",
            "webhook_endpoints",
            "webhook_keys",
        }
    ),
    "request_reply": frozenset({"refused_replies"}),
    "quotas": frozenset({"quota_buckets", "quota_reports"}),
    "delivery": frozenset(
        {
            "delivery_cursors",
            "delivery_open",
            "delivery_attempts",
            "delivery_settlements",
            "delivery_rates",
            "delivery_retention",
            "delivery_leases",
            "delivery_dispatchers",
            "dead_letters",
            "redrives",
        }
    ),
}

# What a room shows of its tables, under a name that others may not use either.
VIEWS = {"journal": frozenset({"journal_entries", "retention_due", "retention_needs"})}

# Rooms that write SQL themselves; the tables of the others are declared with SQLModel.
PLAIN_SQL = frozenset().union(
    *(OWNED[room] for room in ("base", "journal", "request_reply", "delivery", "quotas"))
)

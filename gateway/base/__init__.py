"""The foundation: events, errors, settings, database, telemetry, periodic work, leases, waiting."""

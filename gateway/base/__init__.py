"""What every room uses: the event, errors, settings, the database, telemetry, time and waiting."""

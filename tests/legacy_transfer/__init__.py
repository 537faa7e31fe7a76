"""The kill harness of the legacy adapter: `python -m tests.legacy_transfer --records 1000000`."""

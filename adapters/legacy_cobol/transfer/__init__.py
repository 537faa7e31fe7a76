"""Batch operations: whole files to events and events to whole files, each record once."""

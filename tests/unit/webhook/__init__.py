"""Webhooks without servers."""

"""Webhooks on a running bus."""

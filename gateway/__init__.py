"""Nusabus: a national event bus gateway on RabbitMQ."""

__version__ = "0.1.0"

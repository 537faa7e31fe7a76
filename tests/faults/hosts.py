"""The hosts of the broker and of the database: one each, or several of which some may be lost."""

from collections.abc import Sequence
from typing import Protocol

from deploy.local.postgres import Postgres
from deploy.local.rabbitmq import RabbitMQ

SMALL = {"shared_buffers": "64MB"}


class BrokerNodes(Protocol):
    """RabbitMQ on one host or several."""

    @property
    def nodes(self) -> Sequence[RabbitMQ]:
        """In the order of the URLs."""

    def start(self) -> None:
        """Return once they serve."""

    def erase(self) -> None:
        """End them and delete their data."""


class DatabaseHosts(Protocol):
    """PostgreSQL on one host or several."""

    @property
    def members(self) -> Sequence[Postgres]:
        """In the order of the URLs."""

    @property
    def primary(self) -> Postgres:
        """The member that can be written now."""

    def start(self) -> None:
        """Return once they serve."""

    def erase(self) -> None:
        """End them and delete their data."""


class OneNode(RabbitMQ):
    """A broker that is one node."""

    @property
    def nodes(self) -> Sequence[RabbitMQ]:
        """Itself."""
        return (self,)


class OneHost(Postgres):
    """A database that is one server."""

    @property
    def members(self) -> Sequence[Postgres]:
        """Itself."""
        return (self,)

    @property
    def primary(self) -> Postgres:
        """Itself."""
        return self

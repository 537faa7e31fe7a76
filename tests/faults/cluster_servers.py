"""Servers with hosts to lose: three RabbitMQ nodes, and a PostgreSQL primary with its standby."""

from pathlib import Path

from deploy.local.postgres_pair import PostgresPair
from deploy.local.rabbitmq_cluster import RabbitMQCluster
from tests.faults.hosts import SMALL
from tests.faults.servers import Servers

PATIENCE = 180.0
"""Seconds to recover and to come to rest: five servers share the machine with the gateway, and what
an outage of a minute has left is caught up with by every queue."""


def cluster_servers(folder: Path) -> Servers:
    """Every host of these may be killed."""
    return Servers(
        folder, RabbitMQCluster(folder / "nodes"), PostgresPair(folder / "pair", settings=SMALL)
    )

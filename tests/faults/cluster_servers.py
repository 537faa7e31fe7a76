"""Servers with hosts to lose: three RabbitMQ nodes, and a PostgreSQL primary with its standby."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from deploy.local.postgres import Postgres
from deploy.local.postgres_pair import PostgresPair
from deploy.local.rabbitmq import RabbitMQ
from deploy.local.rabbitmq_cluster import RabbitMQCluster
from tests.faults.servers import SMALL, Servers


class ClusterServers(Servers):
    """Every host may be killed. `rabbitmq` is the first node, `postgres` the present primary."""

    def __init__(self, folder: Path) -> None:
        self.nodes = RabbitMQCluster(folder / "nodes")
        self.pair = PostgresPair(folder / "pair", settings=SMALL)
        super().__init__(folder)

    @property
    def rabbitmq(self) -> RabbitMQ:
        """The first node."""
        return self.nodes.nodes[0]

    @property
    def postgres(self) -> Postgres:
        """The primary."""
        return self.pair.primary

    @property
    def brokers(self) -> Sequence[RabbitMQ]:
        """The three nodes."""
        return self.nodes.nodes

    @property
    def databases(self) -> Sequence[Postgres]:
        """Both servers; which of them is the primary changes."""
        return self.pair.members

    async def _start_brokers(self) -> None:
        await asyncio.to_thread(self.nodes.start)

    async def _erase_brokers(self) -> None:
        await asyncio.to_thread(self.nodes.erase)

    async def _start_databases(self) -> None:
        await asyncio.to_thread(self.pair.start)
        await self._make_template()

    async def _erase_databases(self) -> None:
        await asyncio.to_thread(self.pair.erase)

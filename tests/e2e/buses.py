"""A Nusabus of its own for a demo."""

import asyncio
from pathlib import Path

from deploy.local.gateway import ROOT
from deploy.local.postgres import Postgres
from deploy.local.rabbitmq import RabbitMQ
from tests.bus import Bus
from tests.servers import fresh_database, fresh_virtual_host, furnish


def catalogued(postgres: Postgres, rabbitmq: RabbitMQ, folder: Path) -> Bus:
    """One with the contracts of schemas/; none of its processes runs yet."""
    database_url = fresh_database(postgres)
    admin = asyncio.run(furnish(database_url, ROOT / "schemas"))
    amqp_url = fresh_virtual_host(rabbitmq)
    return Bus(folder, database_url, amqp_url, rabbitmq.management_url, admin)

"""Private servers for all tests that need some, started once in a run and only if asked for."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.local.postgres import Postgres
from deploy.local.rabbitmq import RabbitMQ
from tests.builders import write_contracts
from tests.bus import Bus
from tests.servers import fresh_database, fresh_virtual_host, small_postgres

MakeBus = Callable[..., Bus]


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    """A broker of our own. A test that kills, stops or alarms it leaves it running as before."""
    node = RabbitMQ(tmp_path_factory.mktemp("rabbitmq"), name="integration")
    node.start()
    yield node
    node.erase()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A database server of our own. A test that stops it leaves it running as before."""
    server = small_postgres(tmp_path_factory.mktemp("postgres"))
    server.start()
    yield server
    server.erase()


@pytest.fixture(scope="session")
def prepare_bus(
    postgres: Postgres, rabbitmq: RabbitMQ, tmp_path_factory: pytest.TempPathFactory
) -> MakeBus:
    """Makes a Bus whose database has the contracts of the tests; nothing of it runs yet."""
    folder = tmp_path_factory.mktemp("contracts")
    write_contracts(folder)

    def prepare(template: str, **settings: str) -> Bus:
        return Bus(
            tmp_path_factory.mktemp("bus") / "run",
            fresh_database(postgres, template),
            fresh_virtual_host(rabbitmq),
            rabbitmq.management_url,
            **settings,
        )

    first = prepare("template1")
    first.carry_out("migrate")
    first.carry_out("contracts", str(folder))
    return lambda **settings: prepare(first.database_url.rpartition("/")[2], **settings)

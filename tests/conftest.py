"""Private servers for all tests that need some, started once in a run and only if asked for."""

import asyncio
import os
from collections.abc import Generator, Iterator

import pytest
import structlog

from deploy.local import ports
from deploy.local.postgres import Postgres
from deploy.local.rabbitmq import RabbitMQ
from tests.builders import write_contracts
from tests.bus import Bus, MakeBus
from tests.encrypted_ports import EncryptedPorts
from tests.servers import fresh_database, fresh_virtual_host, furnish, small_postgres

pytest_plugins = ["tests.scheduling"]

# Each worker has ports of its own: another one may take a port while its server is down.
WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
WORKERS = 8
ports.RANGE = ports.RANGE[WORKER % WORKERS :: WORKERS]


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """Commands that a test carries out in its own process set up logs for the whole process."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def encrypted_ports(tmp_path_factory: pytest.TempPathFactory) -> EncryptedPorts:
    """The ports of the broker that speak TLS, beside the others."""
    return EncryptedPorts.of(tmp_path_factory.mktemp("broker-authority"))


@pytest.fixture(scope="session")
def rabbitmq(
    tmp_path_factory: pytest.TempPathFactory, encrypted_ports: EncryptedPorts
) -> Iterator[RabbitMQ]:
    """A broker of our own. A test that kills, stops or alarms it leaves it running as before."""
    folder, settings = tmp_path_factory.mktemp("rabbitmq"), encrypted_ports.settings
    node = RabbitMQ(folder, name="integration", settings=settings)
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
def make_bus(
    postgres: Postgres, rabbitmq: RabbitMQ, tmp_path_factory: pytest.TempPathFactory
) -> MakeBus:
    """Makes a Bus whose database has the contracts of the tests; nothing of it runs yet."""
    contracts = tmp_path_factory.mktemp("contracts")
    write_contracts(contracts)
    template = fresh_database(postgres)
    admin = asyncio.run(furnish(template, contracts))

    def make(broker: RabbitMQ = rabbitmq, **settings: str) -> Bus:
        return Bus(
            tmp_path_factory.mktemp("bus") / "run",
            fresh_database(postgres, template.rpartition("/")[2]),
            fresh_virtual_host(broker),
            broker.management_url,
            admin,
            **settings,
        )

    return make


@pytest.fixture(scope="session")
def shared_bus(make_bus: MakeBus) -> Iterator[Bus]:
    """An api and a relay, for tests that break nothing."""
    with make_bus() as bus:
        yield bus.run("api", "relay")


@pytest.fixture(scope="module")
def bus(shared_bus: Bus) -> Iterator[Bus]:
    """The shared bus; the queues that a module leaves behind get nothing more."""
    yield shared_bus
    shared_bus.end_queues()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that fails shows what the processes of its bus have logged last, and their errors."""
    report = yield
    if report.failed and isinstance(item, pytest.Function):
        buses = {id(each): each for each in item.funcargs.values() if isinstance(each, Bus)}
        for bus in buses.values():
            errors = [line for line in bus.logs().splitlines() if '"level": "error"' in line]
            last = [p.log.read_text().splitlines()[-8:] for p in bus.processes]
            shown = "\n".join(line[:500] for lines in (errors[-5:], *last) for line in lines)
            report.sections.append(("The gateway has logged", shown))
    return report

"""Private servers for the integration tests, one of each for the whole run."""

from collections.abc import Iterator

import pytest

from deploy.local.rabbitmq import RabbitMQ


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    """A broker of our own. A test that kills, stops or alarms it leaves it running as before."""
    node = RabbitMQ(tmp_path_factory.mktemp("rabbitmq"), name="integration")
    node.start()
    try:
        yield node
    finally:
        node.erase()

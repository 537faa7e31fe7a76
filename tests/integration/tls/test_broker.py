"""RabbitMQ by TLS, with an authority of its own that wants certificates of clients."""

from pathlib import Path

import pytest

from deploy.local.ports import LOOPBACK, free_port
from deploy.local.rabbitmq import RabbitMQ
from gateway.base.errors import BrokerUnavailable
from gateway.base.tls import UnusableFiles
from gateway.broker import Broker, Management
from tests.authority import Authority
from tests.bus import MakeBus
from tests.encrypted_ports import EncryptedPorts
from tests.readers import ids
from tests.servers import fresh_virtual_host


def test_an_event_goes_through_a_broker_that_wants_certificates(
    make_bus: MakeBus, rabbitmq: RabbitMQ, encrypted_ports: EncryptedPorts
) -> None:
    """Relay, reconciler, replies and dead letters: all connections; the first host is away."""
    amqp = encrypted_ports.amqp_url(fresh_virtual_host(rabbitmq), f"{LOOPBACK}:{free_port()}")
    settings = {
        "NUSABUS_AMQP_URL": amqp + encrypted_ports.files(),
        "NUSABUS_SUBSCRIBER_AMQP_URL": f"amqps://{LOOPBACK}:{encrypted_ports.amqp}",
        "NUSABUS_MANAGEMENT_URL": encrypted_ports.management_url(rabbitmq.management_url),
    }
    with make_bus(**settings) as bus:
        bus.run("api", "relay")
        uji = bus.actor("uji")
        subscribed = uji.subscribe("id.go.uji.*")
        assert subscribed.url.startswith("amqps://")
        assert "certfile" not in subscribed.url
        id = uji.published()
        subscribed.url += encrypted_ports.files("pelanggan")
        assert ids(subscribed.take(1)) == [id]
        assert '"level": "error"' not in bus.logs()


async def test_another_authority_is_refused(
    rabbitmq: RabbitMQ, encrypted_ports: EncryptedPorts, tmp_path: Path
) -> None:
    amqp = encrypted_ports.amqp_url(rabbitmq.amqp_url)
    api = encrypted_ports.management_url(rabbitmq.management_url)
    other = Authority(tmp_path)
    for files in (encrypted_ports.files(authority=other), ""):
        async with Management(amqp + files, api, timeout=5) as management:
            assert not await management.alive()
        broker = Broker(amqp + files, name="test")
        with pytest.raises(BrokerUnavailable):
            await broker.declare_base()
        await broker.close()


async def test_without_a_certificate_the_broker_refuses_us(
    rabbitmq: RabbitMQ, encrypted_ports: EncryptedPorts
) -> None:
    only = f"?cafile={encrypted_ports.authority.file}"
    api = encrypted_ports.management_url(rabbitmq.management_url)
    async with Management(rabbitmq.amqp_url, api + only, timeout=5) as management:
        assert not await management.alive()


async def test_the_management_url_has_files_of_its_own(
    rabbitmq: RabbitMQ, encrypted_ports: EncryptedPorts
) -> None:
    api = encrypted_ports.management_url(rabbitmq.management_url) + encrypted_ports.files()
    async with Management(rabbitmq.amqp_url, api) as management:
        assert await management.alive()


def test_files_that_are_missing_are_named_at_the_start(rabbitmq: RabbitMQ, tmp_path: Path) -> None:
    with pytest.raises(UnusableFiles, match=r"none\.pem' cannot be read"):
        Management(f"{rabbitmq.amqp_url}?cafile={tmp_path}/none.pem")

"""How everybody reaches the servers in a run: through proxies, one for each host or one for all.

The gateway's processes know every host, as their URLs name them. Whoever knows one host alone (a
subscriber, a consumer, the administrator) comes through a proxy that balances over all of them.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit, urlunsplit

from deploy.local.ports import LOOPBACK
from tests.faults.proxy import Proxy
from tests.faults.servers import Servers
from tests.faults.watches import AppendWatch, ConnectionCutter, ConsumerWatch, RelayWatch


class Routes:
    """The proxies of one run, and the URLs that lead through them or past them."""

    def __init__(self, servers: Servers, name: str) -> None:
        """`name` is that of the database and of the virtual host."""
        self.append_cutter = ConnectionCutter()
        self.broker_cutter = ConnectionCutter()
        self.broker_said: Counter[str] = Counter()
        self.consumer_cutter = ConnectionCutter()
        self._servers = servers
        self._name = name
        amqp = [broker.port for broker in servers.broker.nodes]
        self.to_databases = [
            Proxy([database.port], lambda: AppendWatch(self.append_cutter))
            for database in servers.database.members
        ]
        self.to_brokers = [
            Proxy([port], lambda: RelayWatch(self.broker_cutter, self.broker_said)) for port in amqp
        ]
        """Those of the relays, in the order of the brokers."""
        self.to_subscribers = Proxy(amqp)
        self._to_consumers = Proxy(amqp, lambda: ConsumerWatch(self.consumer_cutter))
        self._to_admin = Proxy(amqp)
        self._to_management = Proxy(
            [urlsplit(broker.management_url).port or 0 for broker in servers.broker.nodes]
        )

    async def open(self) -> None:
        """Begin to listen."""
        for proxy in self._proxies:
            await proxy.open()

    async def close(self) -> None:
        """Cut everything and listen no more."""
        for proxy in self._proxies:
            await proxy.close()

    @property
    def _proxies(self) -> list[Proxy]:
        balanced = [self.to_subscribers, self._to_consumers, self._to_admin, self._to_management]
        return [*self.to_databases, *self.to_brokers, *balanced]

    @property
    def admin_amqp_url(self) -> str:
        """The broker, for an administrator."""
        return self._amqp([self._to_admin.port])

    @property
    def admin_management_url(self) -> str:
        """The management API, for an administrator."""
        return _at(self._servers.rabbitmq.management_url, [self._to_management.port])

    @property
    def environment(self) -> Mapping[str, str]:
        """All hosts, past the proxies."""
        management = [
            urlsplit(each.management_url).port or 0 for each in self._servers.broker.nodes
        ]
        return {
            **self._servers.environment(self._name),
            "NUSABUS_AMQP_URL": self._amqp([each.port for each in self._servers.broker.nodes]),
            "NUSABUS_MANAGEMENT_URL": _at(self._servers.rabbitmq.management_url, management),
        }

    @property
    def api_environment(self) -> Mapping[str, str]:
        """For an api process: its appends are watched."""
        ports = [proxy.port for proxy in self.to_databases]
        return {
            **self.environment,
            "NUSABUS_DATABASE_URL": self._servers.database_url(self._name, ports=ports),
            "NUSABUS_SUBSCRIBER_AMQP_URL": f"amqp://{LOOPBACK}:{self.to_subscribers.port}",
        }

    def relay_environment(self, role: str) -> Mapping[str, str]:
        """For a relay: what the broker says to it is watched."""
        return {
            **self.deliver_environment(role),
            "NUSABUS_AMQP_URL": self._amqp([proxy.port for proxy in self.to_brokers]),
        }

    def deliver_environment(self, role: str) -> Mapping[str, str]:
        """For a process with a database role of its own, by which its writes are known."""
        url = self._servers.database_url(self._name, role=role)
        return {**self.environment, "NUSABUS_DATABASE_URL": url}

    def consumer_url(self, url: str) -> str:
        """A subscription's AMQP URL, watched."""
        return _at(url, [self._to_consumers.port])

    def _amqp(self, ports: Sequence[int]) -> str:
        url = urlsplit(_at(self._servers.rabbitmq.amqp_url, ports))
        return urlunsplit(url._replace(path=f"/{self._name}"))


def _at(url: str, ports: Sequence[int]) -> str:
    """The URL with these hosts on loopback."""
    parts = urlsplit(url)
    hosts = ",".join(f"{LOOPBACK}:{port}" for port in ports)
    login = parts.netloc.rpartition("@")[0]
    return urlunsplit(parts._replace(netloc=f"{login}@{hosts}"))

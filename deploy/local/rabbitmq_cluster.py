"""A private cluster of RabbitMQ nodes on loopback: to try what happens when nodes are lost."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from subprocess import Popen

from deploy.local.ports import LOOPBACK, listening
from deploy.local.processes import spawn, wait_until
from deploy.local.rabbitmq import RabbitMQ, epmd
from deploy.local.state_file import StateFile

# Three nodes share a machine with the tests: each gets little memory.
SETTINGS = {
    "vm_memory_high_watermark.absolute": "400MB",
    "raft.wal_max_size_bytes": "16777216",
    "cluster_formation.peer_discovery_backend": "classic_config",
    "cluster_partition_handling": "ignore",
}


class ClusterNode(RabbitMQ):
    """A node that shares its port mapper, cookie and administrator with the others."""

    def __init__(self, folder: Path, name: str, nodes: Sequence[str], shared: StateFile) -> None:
        peers = {
            f"cluster_formation.classic_config.nodes.{number}": f"{node}@localhost"
            for number, node in enumerate(nodes, 1)
        }
        super().__init__(folder / name, name=name, settings={**SETTINGS, **peers})
        self._shared = shared
        for secret in ("password", "cookie"):
            self._state.note(secret, shared.password(secret))

    def _environ(self) -> dict[str, str]:
        return {**super()._environ(), "ERL_EPMD_PORT": str(self._shared.port("epmd"))}

    def _start_port_mapper(self) -> None:
        """The cluster has started one."""


class RabbitMQCluster:
    """Three nodes. Whoever started it erases it."""

    def __init__(self, folder: Path, size: int = 3) -> None:
        self._folder = folder.resolve()
        self._shared = StateFile(self._folder / "cluster.json")
        self._shared.choose_ports(("epmd",))
        self._port_mapper: Popen[bytes] | None = None
        # The port is part of the names, so that clusters of several runs keep apart.
        names = [f"n{number}x{self._shared.port('epmd')}" for number in range(1, size + 1)]
        self.nodes = [ClusterNode(self._folder, name, names, self._shared) for name in names]

    def start(self) -> None:
        """Return once all nodes have joined."""
        port = self._shared.port("epmd")
        home = self._folder / "epmd"
        home.mkdir(parents=True, exist_ok=True)
        self._port_mapper = spawn(
            (*epmd(), "-port", str(port), "-address", LOOPBACK),
            folder=home, environ={}, log=home / "log",
        )  # fmt: skip
        wait_until(lambda: listening(port), seconds=10, failure="epmd did not listen")
        for node in self.nodes:
            node.start()

    def erase(self) -> None:
        """Kill the nodes and delete all their data."""
        for node in self.nodes:
            node.erase()
        if self._port_mapper is not None:
            self._port_mapper.kill()
            self._port_mapper.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

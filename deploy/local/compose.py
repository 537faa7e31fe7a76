"""RabbitMQ in a container, for machines where the server cannot be installed."""

import hashlib
import os
import subprocess
from pathlib import Path

from deploy.local.ports import LOOPBACK
from deploy.local.processes import Lock, ServerError, wait_until
from deploy.local.rabbitmq import USER, WATERMARK, answers
from deploy.local.state_file import StateFile

FILE = Path(__file__).with_name("compose.yaml")


class ComposeRabbitMQ:
    """The same promises as `RabbitMQ`, kept by `docker compose`; one container per folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        digest = hashlib.sha256(str(self._folder).encode()).hexdigest()[:12]
        self._project = f"nusabus-{digest}"
        self._state = StateFile(self._folder / "server.json")
        self._lock = Lock(self._folder / "lock")

    @property
    def amqp_url(self) -> str:
        """`amqp://...` of the administrator, on the default virtual host."""
        return f"amqp://{self._login}@{LOOPBACK}:{self._state.port('amqp')}/%2F"

    @property
    def management_url(self) -> str:
        """`http://user:password@...` of the management API."""
        return f"http://{self._login}@{LOOPBACK}:{self._state.port('management')}"

    @property
    def running(self) -> bool:
        """Whether the container runs."""
        if not self._state.has("amqp"):
            return False
        return bool(self._compose("ps", "--quiet", "--status", "running").strip())

    def prepare(self) -> None:
        """Choose the ports: the URLs are known from here on."""
        self._lock.take()
        if not self.running:
            self._state.choose_ports(("amqp", "management", "prometheus"))

    def start(self) -> None:
        """Return once AMQP and the management API answer. The first time downloads the image."""
        self.prepare()
        self._compose("up", "--detach", "--quiet-pull")
        wait_until(
            lambda: answers(self.management_url, 5672), seconds=120, failure="RabbitMQ not ready"
        )

    def stop(self) -> None:
        """Stop the container; its data stay."""
        self._compose("stop")
        self._lock.release()

    def kill(self) -> None:
        """SIGKILL the node. `start` works afterwards."""
        self._compose("kill")

    def restart(self) -> None:
        """Stop and start on the same ports."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """Freeze the node: its sockets stay open and nothing answers."""
        self._compose("pause")

    def resume(self) -> None:
        """Let the node go on."""
        self._compose("unpause")

    def erase(self) -> None:
        """Remove the container and its data."""
        self._compose("down", "--volumes", "--timeout", "0")
        self._lock.release()

    def ctl(self, *arguments: str, tool: str = "rabbitmqctl") -> str:
        """Run one of RabbitMQ's tools on this node; returns what it prints."""
        return self._compose("exec", "--no-TTY", "rabbitmq", tool, "--quiet", *arguments)

    def set_memory_alarm(self, on: bool) -> None:
        """Raise or clear the memory alarm: while it is on, publishing connections are blocked."""
        self.ctl("set_vm_memory_high_watermark", "0" if on else WATERMARK)

    @property
    def _login(self) -> str:
        return f"{USER}:{self._state.password('password')}"

    def _compose(self, *arguments: str) -> str:
        ports = {
            f"NUSABUS_BROKER_{variable}": str(self._state.port(name))
            for variable, name in (
                ("PORT", "amqp"),
                ("MANAGEMENT_PORT", "management"),
                ("PROMETHEUS_PORT", "prometheus"),
            )
        }
        done = subprocess.run(
            ("docker", "compose", "--project-name", self._project, "--file", str(FILE), *arguments),
            env={
                **os.environ,
                **ports,
                "NUSABUS_BROKER_PASSWORD": self._state.password("password"),
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise ServerError(f"docker compose {arguments[0]}: {done.stderr.strip()}")
        return done.stdout

"""A private RabbitMQ node, run from the installed server's files by whoever we are.

Its own name, ports, data, cookie and port mapper (epmd), so that it neither meets nor disturbs
another broker on this machine, and leaves no process behind.
"""

import base64
import contextlib
import http.client
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from deploy.local.install import ADVICE, NotInstalled, broker_system, rabbitmq_scripts
from deploy.local.ports import LOOPBACK, listening
from deploy.local.processes import Lock, ServerError, end, of_folder, spawn, tail, wait_until
from deploy.local.state_file import StateFile

USER = "nusabus"
PROGRAMS = ("beam.smp", "epmd", "erl_child_setup", "inet_gethost")
PLUGINS = ("rabbitmq_management", "rabbitmq_prometheus")
WATERMARK = "0.4"  # of memory, where publishers are blocked; 4.x would default to 0.6
# Small enough to run several nodes beside each other, else RabbitMQ's defaults.
SETTINGS: Mapping[str, str] = {
    "vm_memory_high_watermark.relative": WATERMARK,
    "disk_free_limit.absolute": "50MB",
    "max_message_size": "16777216",  # the default of 4.x
    "raft.wal_max_size_bytes": "67108864",
    "collect_statistics_interval": "5000",
    "log.file.level": "info",
    "log.file.rotation.size": "10485760",
    "log.file.rotation.count": "2",
}


class RabbitMQ:
    """One node per folder. `start` makes it on first use; whoever started it owns it."""

    def __init__(
        self,
        folder: Path,
        name: str | None = None,
        port: int | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self._folder = folder.resolve()
        self.node = f"{name or 'nusabus'}@localhost"
        self._given_port = port
        self._settings = {**SETTINGS, **(settings or {})}
        self._lock = Lock(self._folder / "lock")
        self._state = StateFile(self._folder / "server.json")
        self._process: subprocess.Popen[bytes] | None = None
        self._port_mapper: subprocess.Popen[bytes] | None = None
        self.log = self._folder / "log" / "start.log"

    @property
    def amqp_url(self) -> str:
        """`amqp://...` of the administrator, on the default virtual host."""
        return f"amqp://{self._login}@{LOOPBACK}:{self.port}/%2F"

    @property
    def management_url(self) -> str:
        """`http://user:password@...` of the management API."""
        return f"http://{self._login}@{LOOPBACK}:{self._state.port('management')}"

    @property
    def prometheus_url(self) -> str:
        """Where the broker's own metrics are read."""
        return f"http://{LOOPBACK}:{self._state.port('prometheus')}/metrics"

    @property
    def port(self) -> int:
        """The AMQP port on 127.0.0.1, the same after a restart."""
        return self._state.port("amqp")

    @property
    def pid(self) -> int | None:
        """The process id of the node while it runs."""
        return self._process.pid if self._process is not None and self.running else None

    @property
    def running(self) -> bool:
        """Whether the node that we started is alive."""
        return self._process is not None and self._process.poll() is None

    def prepare(self) -> None:
        """End leftovers of a killed run and choose the ports: the URLs are known from here on.

        Raises NotInstalled, or AlreadyRunning when another process owns the folder.
        """
        self._command("rabbitmq-server")
        self._lock.take()
        if not self.running:
            end(of_folder(self._folder, PROGRAMS), signal.SIGKILL, patience=5)
            self._write_files()

    def start(self) -> None:
        """Prepare, and return once AMQP and the management API answer. Raises ServerError too."""
        if self.running:
            return
        self.prepare()
        try:
            self._start_port_mapper()
            self._process = spawn(
                self._command("rabbitmq-server"),
                folder=self._folder,
                environ=self._environ(),
                log=self.log,
            )
            wait_until(self._ready, seconds=90, failure=f"RabbitMQ was not ready ({self.log})")
        except BaseException:
            self.kill()
            self._lock.release()
            raise

    def stop(self) -> None:
        """End the node in order; takes about 6 s, 5 of them in the management plugin."""
        pid = self.pid
        if pid is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                end([psutil.Process(pid)], signal.SIGTERM, patience=30)
        self.kill()
        self._lock.release()

    def kill(self) -> None:
        """SIGKILL the node and its helpers. `start` works afterwards."""
        if not self._lock.held:
            return
        end(of_folder(self._folder, PROGRAMS), signal.SIGKILL, patience=5)
        for process in (self._process, self._port_mapper):
            if process is not None:
                process.kill()
                process.wait()
        self._process = self._port_mapper = None

    def restart(self) -> None:
        """Stop and start on the same ports."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """SIGSTOP the node: its sockets stay open and nothing answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT the node."""
        self._signal(signal.SIGCONT)

    def erase(self) -> None:
        """Kill the node and delete all its data."""
        self._lock.take()
        self.kill()
        self._lock.release()
        shutil.rmtree(self._folder, ignore_errors=True)

    def ctl(self, *arguments: str, tool: str = "rabbitmqctl") -> str:
        """Run rabbitmqctl (or another of its tools) on this node; returns what it prints.

        Costs about half a second. Raises ServerError with the tool's own words.
        """
        done = subprocess.run(
            (*self._command(tool), "--quiet", *arguments),
            cwd=self._folder,
            env=self._environ(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise ServerError(f"{tool} {arguments[0]}: {(done.stderr or done.stdout).strip()}")
        return done.stdout

    def set_memory_alarm(self, on: bool) -> None:
        """Raise or clear the memory alarm: while it is on, publishing connections are blocked."""
        usual = self._settings["vm_memory_high_watermark.relative"]
        self.ctl("set_vm_memory_high_watermark", "0" if on else usual)

    @property
    def _login(self) -> str:
        return f"{USER}:{self._state.password('password')}"

    def _command(self, script: str) -> tuple[str, ...]:
        scripts = rabbitmq_scripts()
        if scripts is None:
            raise NotInstalled(ADVICE)
        return (*broker_system(), str(scripts / script))

    def _write_files(self) -> None:
        for place in ("mnesia", "log"):
            (self._folder / place).mkdir(parents=True, exist_ok=True)
        self._state.choose_ports(
            ("amqp", "management", "prometheus", "distribution", "epmd"), self._given_port
        )
        settings = {
            "listeners.tcp.1": f"{LOOPBACK}:{self.port}",
            "management.tcp.ip": LOOPBACK,
            "management.tcp.port": str(self._state.port("management")),
            "prometheus.tcp.ip": LOOPBACK,
            "prometheus.tcp.port": str(self._state.port("prometheus")),
            "default_user": USER,  # instead of guest
            "default_pass": self._state.password("password"),
            **self._settings,
        }
        _write(self._folder / "rabbitmq.conf", "".join(f"{k} = {v}\n" for k, v in settings.items()))
        _write(self._folder / "enabled_plugins", f"[{','.join(PLUGINS)}].\n")
        _write(self._folder / "rabbitmq-env.conf", "")  # keeps the machine's own file out
        cookie = self._folder / ".erlang.cookie"
        if not cookie.exists():
            _write(cookie, re.sub("[^A-Za-z0-9]", "", self._state.password("cookie")))
            cookie.chmod(0o400)

    def _environ(self) -> dict[str, str]:
        folder = str(self._folder)
        return {
            "PATH": f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin",
            "LANG": "C.UTF-8",
            "HOME": folder,
            "RABBITMQ_NODENAME": self.node,
            "RABBITMQ_MNESIA_BASE": f"{folder}/mnesia",
            "RABBITMQ_LOG_BASE": f"{folder}/log",
            "RABBITMQ_CONFIG_FILE": f"{folder}/rabbitmq.conf",
            "RABBITMQ_CONF_ENV_FILE": f"{folder}/rabbitmq-env.conf",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/enabled_plugins",
            "RABBITMQ_DIST_PORT": str(self._state.port("distribution")),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
            "ERL_EPMD_PORT": str(self._state.port("epmd")),
            "ERL_EPMD_ADDRESS": LOOPBACK,
            # Makes the start script become the node instead of waiting beside it.
            "RUNNING_UNDER_SYSTEMD": "true",
        }

    def _start_port_mapper(self) -> None:
        """Start the node's own epmd; RabbitMQ insists on one and would leave it behind."""
        port = self._state.port("epmd")
        self._port_mapper = spawn(
            (*epmd(), "-port", str(port), "-address", LOOPBACK),
            folder=self._folder,
            environ=self._environ(),
            log=self.log,
        )
        wait_until(lambda: listening(port), seconds=10, failure="epmd did not listen")

    def _ready(self) -> bool:
        if not self.running:
            raise ServerError(f"RabbitMQ did not start:\n{tail(self.log)}")
        return answers(self.management_url, self.port)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is None or not self.running:
            raise ServerError("RabbitMQ is not running")
        self._process.send_signal(number)


def answers(management_url: str, port: int) -> bool:
    """Whether the management API answers, and says that the node listens on this AMQP port."""
    parts = urlsplit(management_url)
    login = base64.b64encode(f"{parts.username}:{parts.password}".encode()).decode()
    connection = http.client.HTTPConnection(LOOPBACK, parts.port, timeout=5)
    with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
        path = f"/api/health/checks/port-listener/{port}"
        connection.request("GET", path, headers={"Authorization": f"Basic {login}"})
        return connection.getresponse().status == 200
    return False


def _write(file: Path, text: str) -> None:
    """Write a file that only its owner may read."""
    file.unlink(missing_ok=True)
    file.touch(mode=0o600)
    file.write_text(text)


def epmd() -> tuple[str, ...]:
    """The command of Erlang's port mapper. Raises ServerError if it is missing."""
    if broker_system():
        return (*broker_system(), "epmd")
    on_path, erl = shutil.which("epmd"), shutil.which("erl")
    beside = sorted(Path(erl).resolve().parent.parent.glob("**/bin/epmd")) if erl else []
    found = on_path or (str(beside[0]) if beside else None)
    if found is None:
        raise ServerError("the program epmd, a part of Erlang, is not on the PATH")
    return (found,)

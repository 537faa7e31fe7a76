"""The private servers: they start, die, start again with their data, and leave nothing behind."""

import asyncio
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import aio_pika
import asyncpg
import psutil
import pytest

from deploy.local import install, postgres, rabbitmq
from deploy.local.account import SHARED
from deploy.local.install import NotInstalled, Source, ensure_rabbitmq
from deploy.local.postgres import Postgres
from deploy.local.processes import AlreadyRunning, ServerError, of_folder
from deploy.local.rabbitmq import RabbitMQ
from deploy.local.supervise import Supervised, supervise
from tests import servers
from tests.supported import is_supported

SMALL = {"shared_buffers": "32MB"}
OWNER = """
import sys, time
from pathlib import Path
from deploy.local.postgres import Postgres
server = Postgres(Path(sys.argv[1]), settings={"shared_buffers": "32MB"})
server.start()
print(server._place, flush=True)
time.sleep(60)
"""


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Postgres]:
    server = Postgres(tmp_path / "a folder", settings=SMALL)
    server.start()
    yield server
    server.erase()


@pytest.fixture
def node(tmp_path: Path) -> Iterator[RabbitMQ]:
    server = RabbitMQ(tmp_path / "a folder")
    server.start()
    yield server
    server.erase()


def eventually(condition: Callable[[], bool], seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


async def _query(url: str, sql: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetch(sql)
    finally:
        await connection.close()


def query(server: Postgres, sql: str) -> list[asyncpg.Record]:
    return asyncio.run(_query(server.owner_url, sql))


def test_postgres_keeps_its_data_and_its_port_through_kills(database: Postgres) -> None:
    port = database.port
    query(database, "CREATE TABLE kept (number int)")
    ends: list[Callable[[], None]] = [
        database.kill,
        database.stop,
        lambda: database.stop("immediate"),
    ]
    for number, end in enumerate(ends):
        query(database, f"INSERT INTO kept VALUES ({number})")
        end()
        assert not database.running
        database.start()
    assert database.port == port
    assert [row["number"] for row in query(database, "SELECT number FROM kept")] == [0, 1, 2]


def test_a_copied_database_keeps_its_sequences_through_a_crash(database: Postgres) -> None:
    template = servers.as_owner(servers.fresh_database(database))
    servers.query(
        template, "CREATE TABLE numbered (n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY)"
    )
    servers.query(template, "INSERT INTO numbered DEFAULT VALUES")
    copy = servers.as_owner(servers.fresh_database(database, template.rpartition("/")[2]))
    servers.query(copy, "INSERT INTO numbered DEFAULT VALUES")
    database.restart("immediate")
    servers.query(copy, "INSERT INTO numbered DEFAULT VALUES")
    assert servers.query(copy, "SELECT count(*) FROM numbered")[0]["count"] == 3


@pytest.mark.parametrize("login", ["url", "owner_url", "retention_url"])
def test_postgres_is_durable_and_its_logins_are_no_superusers(
    database: Postgres, login: str
) -> None:
    (row,) = asyncio.run(_query(getattr(database, login), _MIGHT))
    assert is_supported("PostgreSQL", row["version"])
    assert (row["fsync"], row["wait"], row["mighty"]) == ("on", "on", False)


_MIGHT = (
    "SELECT split_part(current_setting('server_version'), ' ', 1) AS version, "
    "current_setting('fsync') AS fsync, current_setting('synchronous_commit') AS wait, "
    "rolsuper OR rolcreaterole OR rolcreatedb AS mighty "
    "FROM pg_roles WHERE rolname = current_user"
)


def test_postgres_leaves_no_process_and_no_data(tmp_path: Path) -> None:
    server = Postgres(tmp_path / "pg", settings=SMALL)
    server.start()
    place = server._place
    server.stop()
    assert of_folder(place, postgres.PROGRAMS) == []
    server.erase()
    assert not place.exists()


def test_a_folder_has_one_owner(database: Postgres, tmp_path: Path) -> None:
    with pytest.raises(AlreadyRunning, match=str(os.getpid())):
        Postgres(tmp_path / "a folder").start()
    assert query(database, "SELECT 1 AS one")[0]["one"] == 1


def test_postgres_starts_after_its_owner_and_all_of_it_were_killed(tmp_path: Path) -> None:
    folder = tmp_path / "pg"
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    place = Path(owner.stdout.readline().strip())
    owner.stdout.close()
    os.kill(owner.pid, signal.SIGSTOP)  # so that it cannot see its server die
    for process in of_folder(place, postgres.PROGRAMS):
        with suppress(psutil.NoSuchProcess):  # they end each other
            process.kill()
    owner.kill()
    owner.wait()
    server = Postgres(folder, settings=SMALL)
    server.start()
    assert query(server, "SELECT 1 AS one")[0]["one"] == 1
    server.erase()


@pytest.mark.skipif(not Path("/proc").exists(), reason="PR_SET_PDEATHSIG is of Linux")
def test_postgres_ends_when_its_owner_is_killed(tmp_path: Path) -> None:
    folder = tmp_path / "pg"
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    place = Path(owner.stdout.readline().strip())
    owner.stdout.close()
    owner.kill()
    owner.wait()
    assert eventually(lambda: of_folder(place, postgres.PROGRAMS) == [])
    Postgres(folder).erase()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root keeps data elsewhere")
def test_postgres_of_root_leaves_a_private_parent_private(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    server = Postgres(home / "project" / "pg", settings=SMALL)
    server.start()
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    place = server._place
    assert place.parent == SHARED
    server.erase()
    assert not place.exists()


def test_what_is_missing_is_said_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(install.CHOICE, raising=False)
    monkeypatch.setattr(install, "PLACES", ())
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotInstalled, match="NUSABUS_AMQP_URL"):
        ensure_rabbitmq()
    docker = tmp_path / "docker"
    docker.write_text("#!/bin/sh\nexit 0\n")
    docker.chmod(0o755)
    assert ensure_rabbitmq() is Source.COMPOSE
    monkeypatch.setenv(install.CHOICE, "debian14")
    with pytest.raises(NotInstalled, match="Use `debian13`, or unset it"):
        ensure_rabbitmq()


class Fragile:
    """Ends as often as it is told to."""

    def __init__(self, ends: int) -> None:
        self._ends = ends
        self.start_count = 0

    @property
    def running(self) -> bool:
        return self.start_count > self._ends

    def start(self) -> None:
        self.start_count += 1
        if self.start_count == 1:
            raise ServerError("not yet")


async def test_what_dies_is_started_again_and_that_is_said(tmp_path: Path) -> None:
    said = asyncio.Queue[str]()
    supervised = Supervised("it", Fragile(ends=1), tmp_path / "log")
    watch = asyncio.create_task(supervise([supervised], said.put_nowait))
    async with asyncio.timeout(20):
        lines = [await said.get() for _ in range(4)]
    watch.cancel()
    assert [line.split(" (")[0] for line in lines] == [
        "it ended; starting it again in 0.5 s",
        "it does not start: not yet",
        "it ended; starting it again in 1 s",
        "it runs again",
    ]


async def _publish(url: str, queue: str, body: bytes) -> None:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        await channel.declare_queue(queue, durable=True, arguments={"x-queue-type": "quorum"})
        message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await channel.default_exchange.publish(message, queue, timeout=10)


async def _take(url: str, queue: str) -> bytes:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        found = await (await channel.get_queue(queue)).get(timeout=10)
        assert found is not None
        await found.ack()
        return found.body


def test_rabbitmq_through_its_life(node: RabbitMQ, tmp_path: Path) -> None:
    assert is_supported("RabbitMQ", node.ctl("version").strip())
    url = node.amqp_url
    users = node.ctl("list_users", "--formatter", "json")
    assert "guest" not in users
    assert "nusabus" in users
    asyncio.run(_publish(url, "kept", b"once"))

    node.set_memory_alarm(True)
    assert "memory" in node.ctl("eval", "rabbit_alarm:get_alarms().")
    node.set_memory_alarm(False)
    assert "memory" not in node.ctl("eval", "rabbit_alarm:get_alarms().")

    node.pause()
    beam = psutil.Process(node.pid)
    assert eventually(lambda: beam.status() == psutil.STATUS_STOPPED)
    node.resume()

    # 3.10 writes the directory of its quorum queues every half second (dets, auto_save): the two
    # calls above took longer than that.
    node.kill()
    assert not node.running
    node.start()
    assert node.amqp_url == url
    assert asyncio.run(_take(url, "kept")) == b"once"

    node.stop()
    assert of_folder(tmp_path / "a folder", rabbitmq.PROGRAMS) == []

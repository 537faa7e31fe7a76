"""The main job of `make run`: two gateways, a relay, and everybody's real clients."""

import asyncio
import io
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from rich.console import Console

from deploy.local import demo
from deploy.local.credentials import Credentials
from deploy.local.demo_env import DemoEnv
from deploy.local.demo_scenarios import EVENT_PLANS, KK, NISN
from deploy.local.demo_tally import Tally
from deploy.local.gateway import ROOT
from deploy.local.postgres import Postgres
from deploy.local.rabbitmq import RabbitMQ
from tests.bus import Bus
from tests.e2e.buses import catalogued
from tests.readers import depth

NIK = re.compile(r"\d{16}")


@pytest.fixture(scope="module")
def bus(
    postgres: Postgres, rabbitmq: RabbitMQ, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bus]:
    """A whole Nusabus with the contracts of schemas/."""
    with catalogued(postgres, rabbitmq, tmp_path_factory.mktemp("demo") / "gateway") as bus:
        for command in ("api", "api", "relay"):
            bus.start(command)
        bus.wait_ready()
        yield bus


@pytest.fixture(scope="module")
def home(bus: Bus) -> Path:
    """A folder in which `.run/demo.env` is."""
    (bus.folder / ".run").mkdir()
    return bus.folder


def play(bus: Bus, home: Path) -> tuple[Tally, str]:
    """One run of the scenarios, and what it printed."""
    printed = Console(file=io.StringIO(), width=80)
    url, operator = f"http://127.0.0.1:{bus.port}", Credentials(bus.admin.id, bus.admin.secret)
    env = home / ".run" / "demo.env"
    tally = asyncio.run(demo.perform(url, operator, env, printed))
    printed.print(tally.table(), tally.summary())
    assert isinstance(printed.file, io.StringIO)
    return tally, printed.file.getvalue()


def sequences(tally: Tally) -> dict[tuple[object, ...], list[str]]:
    """For each ordered queue and key the sequences in which events arrived the first time."""
    found: dict[tuple[object, ...], list[str]] = {}
    for each in tally.deliveries:
        if each.plan.ordered:
            key = (each.plan, each.event["source"], each.event["subject"])
            arrived = found.setdefault(key, [])
            if each.event["sequence"] not in arrived:
                arrived.append(each.event["sequence"])
    return found


def test_every_event_reaches_every_receiver_in_order(bus: Bus, home: Path) -> None:
    tally, printed = play(bus, home)
    assert tally.complete, printed
    assert len(tally.sent) == len(EVENT_PLANS) == 18
    receivers = {each.event_plan.type: set(map(str, each.received)) for each in tally.sent.values()}
    assert receivers[NISN] == receivers[KK] == {"dukcapil/kependudukan"}
    assert receivers["id.go.dukcapil.ktp.dicetak.v1"] == {"kemendagri/ktp", "pajak/ktp-dan-izin"}
    assert receivers["id.go.dinas.laporan.bulanan.v1"] == {"anri/arsip-laporan"}
    assert receivers["id.go.kemensos.pengaduan.diterima.v1"] == {"kemensos/pengaduan"}
    assert len(receivers["id.go.setneg.undangundang.berubah.v1"]) == 14
    for arrived in sequences(tally).values():
        assert arrived == sorted(arrived)
    assert depth(bus.amqp_url, "sub.dukcapil.kependudukan") == 0
    assert "18 events, 43 of 43 deliveries" in printed
    assert not NIK.search(printed)


def test_it_can_be_repeated_with_the_same_credentials(bus: Bus, home: Path) -> None:
    first, _ = play(bus, home)
    before = (home / ".run" / "demo.env").read_text()
    second, _ = play(bus, home)
    assert second.complete
    assert not first.sent.keys() & second.sent.keys()
    assert (home / ".run" / "demo.env").read_text() == before
    assert (home / ".run" / "demo.env").stat().st_mode & 0o777 == 0o600


def test_credentials_that_do_not_work_any_more_are_replaced(bus: Bus, home: Path) -> None:
    play(bus, home)
    env = DemoEnv(home / ".run" / "demo.env")
    id = env.get("BI_CLIENT_ID")
    for _ in range(2):
        env.put({"BI_CLIENT_SECRET": "wrong", "BI_STATISTIK_AMQP_URL": "amqp://a:b@127.0.0.1:1"})
        assert play(bus, home)[0].complete
        env = DemoEnv(home / ".run" / "demo.env")
    assert env.get("BI_CLIENT_ID") == id
    assert len(bus.admin.get(f"/v1/clients/{id}/secrets").json()["items"]) == 2
    env.file.unlink()
    assert play(bus, home)[0].complete
    assert DemoEnv(env.file).get("BI_CLIENT_ID") == id


def test_its_curl_line_publishes_into_the_queue_that_is_watched(bus: Bus, home: Path) -> None:
    play(bus, home)
    command = [sys.executable, "-m", "deploy.local.demo_watch", "dukcapil", "kependudukan"]
    with subprocess.Popen(
        command, cwd=home, env={"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True
    ) as watching:
        snippet = demo.PUBLISH.format(env=home / ".run" / "demo.env")
        published = subprocess.run(
            ["bash", "-euc", snippet], cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert published.stdout.startswith("HTTP/1.1 202 "), published.stdout
        assert watching.stdout is not None
        assert "sub.dukcapil.kependudukan" in watching.stdout.readline()
        shown = watching.stdout.readline()
        watching.terminate()
    assert NISN in shown
    assert not NIK.search(shown.split("/kemendikbud/dapodik")[0])


def test_every_organisation_and_the_administrator_are_in_the_shell_file(
    bus: Bus, home: Path
) -> None:
    play(bus, home)
    script = f"set -a; . {home}/.run/demo.env; env"
    sourced = subprocess.run(["bash", "-euc", script], capture_output=True, text=True, check=True)
    variables = dict(line.split("=", 1) for line in sourced.stdout.splitlines() if "=" in line)
    assert variables["NUSABUS_URL"] == f"http://127.0.0.1:{bus.port}"
    organisations = [folder.name.upper() for folder in (ROOT / "schemas").iterdir()]
    for name in (*organisations, "ADMIN"):
        login = (variables[f"{name}_CLIENT_ID"], variables[f"{name}_CLIENT_SECRET"])
        form = {"grant_type": "client_credentials"}
        assert bus.http.post("/oauth/token", data=form, auth=login).status_code == httpx.codes.OK


def lose_the_broker(bus: Bus) -> None:
    """What a new broker in place of the old one looks like, after `make run` has started it."""
    host = bus.amqp_url.rpartition("/")[2]
    with httpx.Client(base_url=bus.environ["NUSABUS_MANAGEMENT_URL"], timeout=30) as management:
        rights = management.get(f"/api/vhosts/{host}/permissions").raise_for_status().json()
        management.delete(f"/api/vhosts/{host}").raise_for_status()
        for each in rights:
            if each["user"].startswith("sub."):
                management.delete(f"/api/users/{each['user']}").raise_for_status()
        management.put(f"/api/vhosts/{host}").raise_for_status()
        for each in rights:
            if not each["user"].startswith("sub."):
                path = f"/api/permissions/{host}/{each['user']}"
                management.put(path, json=each).raise_for_status()
    bus.carry_out("topology")


def test_a_broker_that_lost_everything_is_made_good(bus: Bus, home: Path) -> None:
    play(bus, home)
    lose_the_broker(bus)
    tally, printed = play(bus, home)
    assert tally.complete, printed


async def test_what_does_not_arrive_is_named(
    bus: Bus, home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await asyncio.to_thread(play, bus, home)
    monkeypatch.setattr(demo, "SILENCE", 1.0)
    relay = bus.processes.pop()
    relay.kill()
    try:
        operator = Credentials(bus.admin.id, bus.admin.secret)
        url = f"http://127.0.0.1:{bus.port}"
        assert not await demo.run(url, operator, home / ".run")
    finally:
        bus.start("relay")
    printed = capsys.readouterr().out
    assert "18 events, 0 of 43 deliveries" in printed
    assert "missing: kemendikbud.nisn.diverifikasi at dukcapil/kependudukan" in printed


async def test_a_gateway_that_is_not_there_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not await demo.run("http://127.0.0.1:9", Credentials("a", "b"), tmp_path)
    assert "did not get through" in capsys.readouterr().out

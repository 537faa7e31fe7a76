"""The registry in whole processes: in force everywhere, loaded from folders."""

import functools
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.local.gateway import ROOT
from deploy.local.ports import LOOPBACK, free_port
from deploy.local.processes import ServerError
from gateway.contracts import Submission
from tests.builders import (
    FREE,
    a_document,
    a_schema,
    an_id,
    write_contract,
)
from tests.bus import BATCHED, STRUCTURED, Bus, MakeBus
from tests.integration.contracts.registration import a_type, act
from tests.integration.contracts.registration import register as register_over_http
from tests.waiting import eventually

Register = Callable[[Submission], Awaitable[bool]]


# Whole processes
UNBOUND: dict[str, Any] = {"compatibility": {"mode": "none"}}


@pytest.fixture(scope="module")
def own_bus(make_bus: MakeBus) -> Iterator[Bus]:
    """Two api processes, each on a port of its own."""
    with make_bus() as bus:
        bus.start("api")
        other = free_port()
        bus.start("api", NUSABUS_PORT=str(other))
        bus.wait_ready()
        with httpx.Client(base_url=f"http://{LOOPBACK}:{other}") as http:
            eventually(lambda: _ready(http))
        bus.environ["OTHER"] = f"http://{LOOPBACK}:{other}"
        yield bus


def _ready(http: httpx.Client) -> bool:
    try:
        return http.get("/health/ready").status_code == 200
    except httpx.TransportError:
        return False


def version_in_force(bus: Bus, url: str, number: int) -> bool:
    """Whether a process refuses by this version."""
    event = json.dumps(a_document(data={}))
    headers = {**bus.actor("uji").headers, **STRUCTURED}
    answer = httpx.post(f"{url}/v1/events", content=event, headers=headers)
    return bool(answer.json().get("version") == number)


def test_a_new_version_is_in_force_in_every_process(own_bus: Bus, tmp_path: Path) -> None:
    """Published without end meanwhile: each answer is by one version or the other."""
    urls = [str(own_bus.http.base_url), own_bus.environ["OTHER"]]
    files: dict[str, Any] = {
        f"versions/{n}": {**json.loads(a_schema()), "required": ["a"]} for n in (2, 3)
    }
    files["versions/3"] = {**files["versions/3"], "required": ["a", "b"]}
    sample: dict[str, Any] = {"examples/valid/empty": {"a": 1, "b": 1}}
    seen: list[int] = []
    by = own_bus.actor("uji", "publisher")
    own_bus.actor("uji")
    done = threading.Event()

    def keep_publishing() -> None:
        while not done.is_set():
            answer = by.publish(a_document(id=an_id(), data={"a": 1}))
            seen.append(answer.status_code)

    publishing = threading.Thread(target=keep_publishing)
    publishing.start()
    try:
        for number in (2, 3):
            version: dict[str, Any] = {f"versions/{number}": files[f"versions/{number}"]}
            write_contract(tmp_path, FREE, contract=UNBOUND, **version, **sample)
            own_bus.carry_out("contracts", str(tmp_path))
            for url in urls:
                in_force = functools.partial(version_in_force, own_bus, url, number)
                eventually(in_force, seconds=10)
    finally:
        done.set()
        publishing.join()
    assert set(seen) <= {202, 422}
    assert seen == sorted(seen), "a process went back to an older version"
    assert {202, 422} <= set(seen)


def test_a_change_is_never_half_in_force(own_bus: Bus) -> None:
    """Both processes are given batches while versions come and go: all of a batch, or nothing."""
    type, admin = a_type(), own_bus.actor("uji", "admin")
    register_over_http(admin, type)
    by = own_bus.actor("uji", "publisher")
    urls = [str(own_bus.http.base_url), own_bus.environ["OTHER"]]
    headers, seen, done = {**by.headers, **BATCHED}, list[tuple[int, int]](), threading.Event()

    def keep_publishing(place: int) -> None:
        with httpx.Client(base_url=urls[place]) as http:
            while not done.is_set():
                batch = [a_document(id=an_id(), type=type, data={"n": 1}) for _ in range(20)]
                answer = http.post("/v1/events", json=batch, headers=headers)
                seen.append((place, answer.json()["accepted"]))

    def in_force(wanted: int) -> None:
        seen.clear()
        eventually(lambda: {(0, wanted), (1, wanted)} <= set(seen))
        assert {accepted for _, accepted in seen} <= {0, 20}

    threads = [threading.Thread(target=keep_publishing, args=(place,)) for place in (0, 1)]
    for thread in threads:
        thread.start()
    try:
        in_force(20)
        assert act(admin, f"{type}/versions/1/retirement", confirm="true").status_code == 200
        in_force(0)
        assert act(admin, f"{type}/versions/1/reinstatement").status_code == 200
        in_force(20)
    finally:
        done.set()
        for thread in threads:
            thread.join()


def test_loading_the_real_contracts_again_changes_nothing(own_bus: Bus) -> None:
    def state() -> list[Any]:
        tables = ("contracts", "contract_versions", "contract_examples", "organisations")
        return [own_bus.query(f"SELECT t::text FROM {table} t ORDER BY 1") for table in tables]

    own_bus.carry_out("contracts", str(ROOT / "schemas"))
    first = state()
    own_bus.carry_out("contracts", str(ROOT / "schemas"))
    assert state() == first
    assert len(first[0]) >= 19


def test_schemas_in_a_folder_may_need_each_other(own_bus: Bus, tmp_path: Path) -> None:
    used, type = "id.go.uji.z.dipakai.v1", "id.go.uji.a.memakai.v1"
    write_contract(tmp_path, used)
    needs: dict[str, Any] = {
        "versions/1": {
            **json.loads(a_schema()),
            "properties": {"a": {"$ref": f"urn:nusabus:contract:{used}:1"}},
        }
    }
    write_contract(tmp_path, type, **needs)
    own_bus.carry_out("contracts", str(tmp_path))
    by = own_bus.actor("uji", "publisher")
    eventually(lambda: by.publish(a_document(type=type, data={"a": 1})).status_code == 422)
    assert by.publish(a_document(type=type, data={"a": {}})).status_code == 202
    write_contract(tmp_path / "later", "id.go.uji.b.memakai.v1", **needs)
    own_bus.carry_out("contracts", str(tmp_path / "later"))


def test_a_folder_cannot_break_what_was_promised(own_bus: Bus, tmp_path: Path) -> None:
    type = "id.go.uji.janji.dicatat.v1"
    stricter: dict[str, Any] = {"versions/2": {**json.loads(a_schema()), "required": ["a"]}}
    valid: dict[str, Any] = {"examples/valid/empty": {"a": 1}}
    write_contract(tmp_path, "id.go.uji.lain.dicatat.v1")
    write_contract(tmp_path, type, **stricter, **valid)
    with pytest.raises(ServerError, match=r"janji\.dicatat\.v1 version 2 is not compatible"):
        own_bus.carry_out("contracts", str(tmp_path))
    assert not own_bus.query("SELECT type FROM contracts WHERE type LIKE '%.lain.dicatat.v1'")
    write_contract(tmp_path, type, contract=UNBOUND, **stricter, **valid)
    own_bus.carry_out("contracts", str(tmp_path))
    ((comparison,),) = own_bus.query(
        f"SELECT convert_from(comparison, 'UTF8') FROM contract_versions "
        f"WHERE type = '{type}' AND number = 2"
    )
    assert json.loads(comparison)["mode"] == "none"


def test_a_folder_with_one_fault_changes_nothing(own_bus: Bus, tmp_path: Path) -> None:
    write_contract(tmp_path, "id.go.uji.bagus.dicatat.v1")
    bad: dict[str, Any] = {"examples/valid/bad": "{"}
    broken = write_contract(tmp_path, "id.go.uji.rusak.dicatat.v1", **bad)
    with pytest.raises(ServerError, match=r"bad\.json"):
        own_bus.carry_out("contracts", str(tmp_path))
    (broken / "examples" / "valid" / "bad.json").unlink()
    (broken / "versions" / "1.json").write_text('{"type": "thing"}')
    with pytest.raises(ServerError, match=r"rusak\.dicatat\.v1 version 1"):
        own_bus.carry_out("contracts", str(tmp_path))
    found = own_bus.query("SELECT type FROM contracts WHERE type LIKE '%bagus%'")
    assert list(found) == []

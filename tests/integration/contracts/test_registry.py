"""Contracts in the database: loaded twice they are the same; a change is in force everywhere."""

import functools
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from deploy.local.gateway import ROOT
from deploy.local.ports import LOOPBACK, free_port
from deploy.local.processes import ServerError
from gateway import contracts, identity
from gateway.contracts import Author, Catalogue, CatalogueLoader, Pattern, Submission, registry
from gateway.contracts.values import Version
from gateway.database import Database, Topic
from gateway.errors import Conflict
from gateway.snapshot import Snapshot, refresh
from tests.builders import (
    FREE,
    a_contract,
    a_document,
    a_schema,
    a_submission,
    an_id,
    write_contract,
)
from tests.bus import BATCHED, STRUCTURED, Bus, MakeBus
from tests.integration.contracts.registration import a_type, act
from tests.integration.contracts.registration import register as register_over_http
from tests.waiting import eventually

Register = Callable[[Submission], Awaitable[bool]]


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = await Database.open(database_url, connections=1, timeout=10)
    yield database
    await database.close()


@pytest.fixture
async def register(database: Database) -> Register:
    async with database.change(Topic.IDENTITY) as session:
        await identity.provide_organisation(session, name="uji", title="Uji", description="")

    async def register(submission: Submission) -> bool:
        async with database.change(Topic.CONTRACTS) as session:
            return await contracts.register(session, submission)

    return register


def named(word: str, **changes: Any) -> Submission:
    """A submission of a type of the test's own."""
    return a_submission(contract=a_contract(type=f"id.go.uji.{word}.dicatat.v1", **changes))


async def test_a_contract_is_registered_once(register: Register) -> None:
    assert await register(named("sekali")) is True
    assert await register(named("sekali")) is False


async def test_white_space_and_member_order_are_no_change(register: Register) -> None:
    def versions(text: bytes) -> dict[str, Any]:
        return {"contract": named("spasi").contract, "versions": (Version(1, text),)}

    text = a_schema(title="x", minProperties=1.0)
    reordered = json.dumps(dict(reversed(json.loads(text).items())), indent=3).encode()
    assert await register(a_submission(**versions(text))) is True
    assert await register(a_submission(**versions(reordered))) is False


async def test_a_schema_is_for_life_and_a_title_is_not(register: Register) -> None:
    await register(named("tetap"))
    contract = named("tetap").contract
    changed = a_submission(contract=contract, versions=(Version(1, a_schema(minProperties=1)),))
    with pytest.raises(Conflict, match="version 1"):
        await register(changed)
    for change in ({"pattern": Pattern.POINT_TO_POINT}, {"owner": "lain"}):
        with pytest.raises(Conflict, match="for life"):
            await register(named("tetap", **change))
    assert await register(named("tetap", title="Another")) is True
    three = tuple(Version(n, a_schema(minProperties=n % 2)) for n in (1, 2, 3))
    with pytest.raises(Conflict, match="has the schema of version 1"):
        await register(a_submission(contract=named("ulang").contract, versions=three))
    two = (Version(1, a_schema()), Version(2, a_schema(minProperties=1)))
    assert await register(a_submission(contract=contract, versions=two)) is True


async def test_a_catalogue_has_the_newest_version_and_compiles_it_once(
    register: Register, database: Database
) -> None:
    snapshot = Snapshot(Topic.CONTRACTS, CatalogueLoader())
    await register(named("terbaru"))
    await refresh(database, snapshot)
    type = "id.go.uji.terbaru.dicatat.v1"
    before = snapshot.value
    assert before.judge(type).version == 1
    await register(named("lain"))
    await refresh(database, snapshot)
    assert snapshot.value.judge(type) is before.judge(type)
    two = (Version(1, a_schema()), Version(2, a_schema(required=["a"])))
    await register(a_submission(contract=named("terbaru").contract, versions=two))
    await refresh(database, snapshot)
    assert snapshot.value.judge(type).version == 2
    assert not snapshot.value.judge(type).accepts({})
    assert before.judge(type).accepts({})
    assert "id.go.uji.lain.dicatat.v1" not in before.contracts


async def test_a_catalogue_reads_only_what_changed(register: Register, database: Database) -> None:
    loader = CatalogueLoader()
    await register(named("satu"))
    await register(named("dua"))
    async with database.session() as session:
        first = await loader(session)
    compiled = first.judge("id.go.uji.dua.dicatat.v1")
    await register(named("dua", title="Another"))
    async with database.session() as session:
        second = await loader(session)
    same, other = "id.go.uji.satu.dicatat.v1", "id.go.uji.dua.dicatat.v1"
    assert second.contracts[same] is first.contracts[same]
    assert (first.contracts[other].title, second.contracts[other].title) == ("Uji", "Another")
    assert second.judge(other) is compiled, "what is compiled stays compiled"
    async with database.session() as session:
        assert (await CatalogueLoader()(session)).contracts == second.contracts


async def test_a_database_of_yesterday_is_read_anew(register: Register, database: Database) -> None:
    loader = CatalogueLoader()
    await register(named("kemarin"))
    async with database.session() as session:
        before = await loader(session)
    async with database.change(Topic.CONTRACTS) as session:
        await session.execute(text("UPDATE contracts SET changed = 0, title = 'Old'"))
    async with database.session() as session:
        after = await loader(session)
    assert after.contracts.keys() == before.contracts.keys()
    assert {contract.title for contract in after.contracts.values()} == {"Old"}


async def test_states_decide_who_judges(register: Register, database: Database) -> None:
    two = (Version(1, a_schema()), Version(2, a_schema(required=["a"])))
    contract = named("keadaan").contract
    await register(a_submission(contract=contract, versions=two))
    loader, by = CatalogueLoader(), Author("c", "uji")

    async def catalogue() -> Catalogue:
        async with database.session() as session:
            return await loader(session)

    first = await catalogue()
    assert first.judge(contract.type).version == 2
    async with database.change(Topic.CONTRACTS) as session:
        notice = registry.Notice(None, None)
        assert await registry.deprecate(session, contract.type, 2, notice, by=by)
        assert not await registry.deprecate(session, contract.type, 2, notice, by=by)
    second = await catalogue()
    assert second.judge(contract.type).version == 1, "an active one before a deprecated one"
    assert second.deprecated == {contract.type}
    async with database.change(Topic.CONTRACTS) as session:
        await registry.retire(session, contract.type, 1, by=by)
    third = await catalogue()
    assert third.judge(contract.type) is first.judge(contract.type)
    async with database.change(Topic.CONTRACTS) as session:
        await registry.retire(session, contract.type, 2, by=by)
    with pytest.raises(KeyError):
        (await catalogue()).judge(contract.type)
    assert first.judge(contract.type).version == 2, "a catalogue never changes"


# Whole processes


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
            write_contract(tmp_path, FREE, **version, **sample)
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

"""What a call has changed in one api process holds for the next call to another."""

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from deploy.local.ports import LOOPBACK, free_port
from gateway.base import loaded_revisions
from tests.builders import FREE, QUESTIONS, TASKS, a_document, a_name, a_question
from tests.bus import STRUCTURED, Actor, Bus, MakeBus
from tests.integration.contracts.registration import (
    a_registration,
    a_type,
    act,
    add,
    register,
    wider,
)
from tests.waiting import eventually

ROLES = ("admin", "auditor", "publisher", "subscriber")
AT_ONCE = 8
WEBHOOK = {"endpoint": {"url": "https://contoh.example/"}}
SUBSCRIPTIONS: dict[str, dict[str, Any]] = {
    "pull": {"types": [FREE], "delivery": "pull"},
    "stream": {"types": [FREE], "delivery": "stream"},
    "webhook": {"types": [FREE], "delivery": "webhook", "terms": WEBHOOK},
    "amqp": {"types": [FREE]},
    "amqp with filters": {"types": [FREE], "terms": {"filters": [{"exact": {"subject": "a"}}]}},
    "point-to-point": {"types": [TASKS[0]], "delivery": "pull"},
    "responder": {"types": [QUESTIONS[0]], "delivery": "pull"},
}


class Pair:
    """Two api processes: a change goes to the first, and what follows from it to the second."""

    def __init__(self, bus: Bus, second: httpx.Client) -> None:
        self.bus, self.second = bus, second

    def then(self, who: Actor, method: str, path: str, **more: Any) -> httpx.Response:
        """A call to the second process."""
        headers = {**who.headers, **more.pop("headers", {})}
        return self.second.request(method, path, headers=headers, **more)

    def publish(self, who: Actor, **changes: Any) -> int:
        """The status of an event that the second process gets."""
        event = a_document(**{"source": f"/{who.organisation}", **changes})
        content = json.dumps(event)
        return self.then(who, "POST", "/v1/events", content=content, headers=STRUCTURED).status_code

    def at_once(self, who: Actor, method: str, path: str, **more: Any) -> Counter[int]:
        """How often each status came when the same call reached both at the same time."""
        headers = {**who.headers, **more.pop("headers", {})}

        def call(number: int) -> int:
            client = self.second if number % 2 else self.bus.http
            return client.request(method, path, headers=headers, **more).status_code

        with ThreadPoolExecutor(AT_ONCE) as threads:
            return Counter(threads.map(call, range(AT_ONCE)))


@pytest.fixture(scope="module")
def pair(make_bus: MakeBus) -> Iterator[Pair]:
    port = free_port()
    with make_bus() as bus, ExitStack() as stack:
        second = bus.start("api", NUSABUS_PORT=str(port))
        bus.run("api")
        eventually(lambda: second.listens_on(port))
        url = f"http://{LOOPBACK}:{port}"
        yield Pair(bus, stack.enter_context(httpx.Client(base_url=url, timeout=60)))


def test_a_contract_and_its_versions_are_in_force(pair: Pair) -> None:
    uji, admin, type = pair.bus.actor("uji"), pair.bus.actor("uji", "admin"), a_type()
    register(admin, type)
    assert pair.publish(uji, type=type) == 202
    assert pair.publish(uji, type=type, data={"n": 1, "lagi": "x"}) == 422
    assert add(admin, type, schema=wider()).status_code == 201
    assert pair.publish(uji, type=type, data={"n": 1, "lagi": "x"}) == 202
    assert act(admin, f"{type}/retirement", confirm="true").status_code == 200
    assert pair.publish(uji, type=type) == 422
    assert act(admin, f"{type}/versions/2/reinstatement").status_code == 200
    assert pair.publish(uji, type=type) == 202


def test_rights_are_given_and_withdrawn(pair: Pair) -> None:
    lain, type = pair.bus.actor("lain"), a_type()
    register(pair.bus.actor("uji", "admin"), type)
    assert pair.publish(lain, type=type) == 403
    grant = pair.bus.grant("lain", "publish", type)
    assert pair.publish(lain, type=type) == 202
    pair.bus.admin.delete(grant).raise_for_status()
    assert pair.publish(lain, type=type) == 403
    sources = "/v1/organisations/uji/sources"
    prefix = f"urn:nusabus:{a_name()}:"
    made = pair.bus.admin.post(sources, json={"prefix": prefix}).raise_for_status()
    uji = pair.bus.actor("uji")
    assert pair.publish(uji, source=f"{prefix}1") == 202
    pair.bus.admin.delete(made.headers["location"]).raise_for_status()
    assert pair.publish(uji, source=f"{prefix}1") == 403


def test_organisations_and_clients_come_and_go(pair: Pair) -> None:
    name, admin = a_name(), pair.bus.admin
    admin.post("/v1/organisations", json={"name": name, "title": "Baru"}).raise_for_status()
    client = {"organisation": name, "title": "Uji", "roles": ["publisher"]}
    assert pair.then(admin, "POST", "/v1/clients", json=client).status_code == 201
    pair.bus.grant(name, "publish", FREE)
    new = pair.bus.actor(name)
    assert pair.publish(new) == 202
    reason = {"reason": "uji"}
    for change, status in ((f"/v1/organisations/{name}/suspend", 403),
                           (f"/v1/organisations/{name}/resume", 202)):  # fmt: skip
        admin.post(change, json=reason if status == 403 else None).raise_for_status()
        assert pair.publish(new) == status
    for state, status in (("disabled", 401), ("active", 202)):
        path = f"/v1/clients/{new.id}"
        admin.call("PATCH", path, json={"state": state}).raise_for_status()
        assert pair.publish(new) == status
    admin.call("PATCH", f"/v1/clients/{new.id}", json={"roles": ["subscriber"]}).raise_for_status()
    assert pair.publish(new) == 403


def test_quotas_are_in_force(pair: Pair) -> None:
    name, admin = a_name(), pair.bus.admin
    admin.post("/v1/organisations", json={"name": name, "title": "Baru"}).raise_for_status()
    path, grants = f"/v1/organisations/{name}/quotas", f"/v1/organisations/{name}/grants"
    pair.bus.grant(name, "publish", a_type())
    for limit, status in ((1, 409), (2, 201)):
        body = {"quotas": {"grants": limit}}
        admin.call("PUT", path, json=body, headers={"if-match": "*"}).raise_for_status()
        grant = {"action": "publish", "type": a_type()}
        assert pair.then(admin, "POST", grants, json=grant).status_code == status


def test_a_responder_is_found(pair: Pair) -> None:
    uji, lain, type, name = pair.bus.actor("uji"), pair.bus.actor("lain"), QUESTIONS[1], a_name()
    pair.bus.grant("lain", "publish", type)

    def ask() -> int:
        content = json.dumps(a_question(type))
        return pair.then(
            lain, "POST", "/v1/requests", content=content, headers=STRUCTURED
        ).status_code

    assert ask() == 503
    assert uji.put_subscription(name, type, delivery="pull").status_code == 201
    assert ask() == 202
    uji.delete(f"/v1/subscriptions/{name}").raise_for_status()
    assert ask() == 503


@pytest.mark.parametrize("kind", SUBSCRIPTIONS)
def test_the_same_subscription_at_once_is_made_once(pair: Pair, kind: str) -> None:
    uji, path = pair.bus.actor("uji"), f"/v1/subscriptions/{a_name()}"
    found = pair.at_once(uji, "PUT", path, json=SUBSCRIPTIONS[kind])
    assert found == {201: 1, 200: AT_ONCE - 1}
    assert pair.at_once(uji, "DELETE", path) == {200: 1, 404: AT_ONCE - 1}


def test_what_exists_once_is_made_once(pair: Pair) -> None:
    """Each of these at the same time: one is made, the others are told so."""
    admin, uji, type = pair.bus.admin, pair.bus.actor("uji", *ROLES), a_type()
    name, schema = a_name(), {"if-match": "*"}
    made = {
        "organisation": pair.at_once(
            admin, "POST", "/v1/organisations", json={"name": name, "title": "Baru"}
        ),
        "grant": pair.at_once(
            uji, "POST", "/v1/organisations/lain/grants", json={"action": "publish", "type": type}
        ),
        "source": pair.at_once(
            admin, "POST", "/v1/organisations/lain/sources", json={"prefix": f"urn:uji:{name}:"}
        ),
    }
    assert made == {each: Counter({201: 1, 409: AT_ONCE - 1}) for each in made}
    contract = pair.at_once(uji, "POST", "/v1/contracts", json=a_registration(type))
    assert contract == {201: 1, 200: AT_ONCE - 1}
    version = {"schema": wider(), "examples": a_registration(type)["examples"]}
    path = f"/v1/contracts/{type}/versions"
    assert pair.at_once(uji, "POST", path, json=version, headers=schema) == {
        201: 1,
        200: AT_ONCE - 1,
    }
    path = f"/v1/organisations/{name}/quotas"
    assert pair.at_once(admin, "PUT", path, json={"quotas": {"grants": 5}}, headers=schema) == {
        200: AT_ONCE
    }


def test_repeated_changes_at_once_are_no_defect(pair: Pair) -> None:
    uji, name = pair.bus.actor("uji", *ROLES), a_name()
    client = uji.post(
        "/v1/clients", json={"organisation": "uji", "title": "x", "roles": ["publisher"]}
    ).json()["id"]
    uji.put_subscription(name, FREE, delivery="webhook", terms=WEBHOOK).raise_for_status()
    secrets = pair.at_once(uji, "POST", f"/v1/clients/{client}/secrets")
    assert secrets == {201: 2, 409: AT_ONCE - 2}
    for path in ("pause", "resume", "secrets"):
        found = pair.at_once(uji, "POST", f"/v1/subscriptions/{name}/{path}")
        assert set(found) <= {200, 201}
    redrive = {"subscription": name}
    assert max(pair.at_once(uji, "POST", "/v1/redrives", json=redrive)) < 500
    assert max(pair.at_once(pair.bus.admin, "POST", "/v1/signing-keys")) < 500
    event = a_document()
    content = json.dumps(event)
    found = pair.at_once(uji, "POST", "/v1/events", content=content, headers=STRUCTURED)
    assert found == {202: AT_ONCE}
    assert '"level": "error"' not in pair.bus.logs()


def test_a_process_that_hangs_delays_a_change_for_a_moment_alone(pair: Pair) -> None:
    """The change is answered after a bounded wait; once nobody has heard of it, without one."""
    query = "SELECT count(*) FROM control_snapshots WHERE process = 'hangs'"
    pair.bus.query(
        "INSERT INTO control_snapshots VALUES ('hangs', 'identity', -1, clock_timestamp())"
    )
    pair.bus.grant("lain", "publish", a_type())
    assert "control.loads_late" in pair.bus.logs()
    assert pair.bus.query(query) == [(1,)]
    assert loaded_revisions.LONGEST < loaded_revisions.GONE

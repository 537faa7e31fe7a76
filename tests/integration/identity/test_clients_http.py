"""Clients and their secrets over HTTP: who may do what, and what a stranger learns."""

import asyncio

import pytest
from structlog.testing import capture_logs

from gateway.base.database import Topic
from gateway.base.errors import Unavailable
from tests.integration.identity_api import Actor, IdentityApi, pieces
from tests.problems import problem_of

# Clients


MANY = """
    INSERT INTO clients (id, organisation, title, roles, state, created)
    SELECT :state || n, 'dukcapil', 'x', ARRAY['publisher'], :state, now()
    FROM generate_series(1, :count) n
"""


async def test_an_organisation_has_so_many_clients(api: IdentityApi, admin: Actor) -> None:
    client = await api.actor("dukcapil", "publisher")
    await api.execute(MANY, {"state": "active", "count": 198})
    body = {"organisation": "dukcapil", "title": "x", "roles": ["publisher"]}
    made = await admin.post("/v1/clients", body)
    assert made.status_code == 201
    problem_of(await admin.post("/v1/clients", body), 409, "quota-reached")
    await admin.patch(made.headers["location"], {"state": "disabled"})
    assert (await admin.post("/v1/clients", body)).status_code == 201
    full = await admin.patch(made.headers["location"], {"state": "active"})
    assert "200 active clients" in problem_of(full, 409, "quota-reached")["detail"]
    await admin.patch(f"/v1/clients/{client.id}", {"state": "disabled"})
    await api.execute(MANY, {"state": "disabled", "count": 799})
    full = await admin.post("/v1/clients", body)
    assert "1000 clients" in problem_of(full, 409, "quota-reached")["detail"]
    assert (await admin.post("/v1/clients", body | {"organisation": "nusabus"})).status_code == 201


async def test_a_client_is_made_and_changed(api: IdentityApi, admin: Actor) -> None:
    await api.actor("dukcapil", "publisher")
    body = {"organisation": "dukcapil", "title": "Registry", "roles": ["subscriber", "publisher"]}
    made = await admin.post("/v1/clients", body)
    assert made.status_code == 201
    shown = (await admin.get(made.headers["location"])).json()
    assert shown == made.json()
    assert shown["id"].startswith("dukcapil-")
    assert shown["roles"] == ["publisher", "subscriber"]
    assert shown["state"] == "active"
    changed = await admin.patch(f"/v1/clients/{shown['id']}", {"title": "Desk"})
    assert changed.json() == shown | {"title": "Desk"}
    changed = await admin.patch(f"/v1/clients/{shown['id']}", {"roles": ["auditor"]})
    assert changed.json() == shown | {"title": "Desk", "roles": ["auditor"]}


@pytest.mark.parametrize(
    "body",
    [
        {"organisation": "unknown", "title": "x", "roles": ["admin"]},
        {"organisation": "\u0000", "title": "x", "roles": ["admin"]},
        {"organisation": "nusabus", "title": "x", "roles": []},
        {"organisation": "nusabus", "title": "x", "roles": ["root"]},
        {"organisation": "nusabus", "title": "x"},
        {"organisation": "nusabus", "title": "x", "roles": ["admin"], "id": "mine"},
    ],
)
async def test_what_is_no_client(admin: Actor, body: object) -> None:
    assert (await admin.post("/v1/clients", body)).status_code == 422


async def test_an_administrator_manages_its_own_organisation_only(api: IdentityApi) -> None:
    inside = await api.actor("dukcapil", "admin")
    colleague = await inside.hire("dukcapil", "publisher")
    outside = await api.actor("bps", "admin", "auditor")

    assert (await inside.get(f"/v1/clients/{colleague.id}")).status_code == 200
    unknown = "/v1/clients/bps-unknown"
    for path in (f"/v1/clients/{colleague.id}", "/v1/clients/nusabus-admin"):
        for method, suffix, body in (
            ("GET", "", None),
            ("PATCH", "", {"state": "disabled"}),
            ("GET", "/secrets", None),
            ("POST", "/secrets", None),
            ("DELETE", "/secrets/x", None),
        ):
            hidden = await outside.call(method, path + suffix, body)
            missing = await outside.call(method, unknown + suffix, body)
            assert hidden.status_code == missing.status_code == 404
            assert hidden.content == missing.content
    listed = await pieces(outside, "/v1/clients", 50)
    assert listed == [[outside.id]]
    assert await pieces(inside, "/v1/clients", 1) == sorted([[inside.id], [colleague.id]])
    assert (await outside.get("/v1/clients?organisation=dukcapil")).json()["items"] == []


async def test_an_administrator_makes_no_client_elsewhere(api: IdentityApi) -> None:
    actor = await api.actor("dukcapil", "admin")
    await api.actor("bps", "publisher")
    for organisation in ("nusabus", "bps", "unknown"):
        body = {"organisation": organisation, "title": "x", "roles": ["publisher"]}
        assert (await actor.post("/v1/clients", body)).status_code == 403


async def test_the_operator_lists_all_or_those_of_one(api: IdentityApi, admin: Actor) -> None:
    made = [await api.actor(name, "publisher") for name in ("bps", "dukcapil")]
    listed = (await admin.get("/v1/clients")).json()["items"]
    assert [item["id"] for item in listed] == sorted([admin.id, *(client.id for client in made)])
    for name, expected in (("bps", [made[0].id]), ("unknown", []), ("%00", [])):
        listed = (await admin.get(f"/v1/clients?organisation={name}")).json()["items"]
        assert [item["id"] for item in listed] == expected


async def test_the_roles_that_may_read_and_write_clients(api: IdentityApi) -> None:
    for role, reads, writes in (
        ("publisher", 403, 403),
        ("subscriber", 403, 403),
        ("auditor", 200, 403),
    ):
        actor = await api.actor("dukcapil", role)
        path = f"/v1/clients/{actor.id}"
        body = {"organisation": "dukcapil", "title": "x", "roles": ["admin"]}
        for get in ("/v1/clients", path, f"{path}/secrets"):
            answer = await actor.get(get)
            assert answer.status_code == reads
            assert actor.secret not in answer.text
        assert (await actor.post("/v1/clients", body)).status_code == writes
        assert (await actor.patch(path, {"roles": ["admin"]})).status_code == writes
        assert (await actor.post(f"{path}/secrets")).status_code == writes
        assert (await actor.delete(f"{path}/secrets/x")).status_code == writes


async def test_roles_are_in_force_at_once(api: IdentityApi, admin: Actor) -> None:
    actor = await api.actor("dukcapil", "publisher")
    assert (await actor.get("/v1/clients")).status_code == 403
    await admin.patch(f"/v1/clients/{actor.id}", {"roles": ["auditor"]})
    assert (await actor.get("/v1/clients")).status_code == 200


async def test_an_administrator_cannot_end_itself(admin: Actor) -> None:
    path = f"/v1/clients/{admin.id}"
    assert (await admin.patch(path, {"state": "disabled"})).status_code == 409
    assert (await admin.patch(path, {"roles": ["auditor"]})).status_code == 409
    assert (await admin.patch(path, {"roles": ["auditor", "admin"]})).status_code == 200
    assert (await admin.patch(path, {"title": None, "state": None})).status_code == 200


# Secrets


async def test_secrets_rotate_two_at_a_time(api: IdentityApi, admin: Actor) -> None:
    client = await api.actor("dukcapil", "publisher")
    path = f"/v1/clients/{client.id}/secrets"
    second = await admin.post(path)
    assert second.headers["cache-control"] == "no-store"
    assert set(second.json()) == {"id", "created", "secret"}
    assert second.json()["secret"] != client.secret
    assert (await admin.post(path)).status_code == 409

    renewed = Actor(api, client.id, second.json()["secret"])
    for either in (client, renewed):
        assert (await either.login()).status_code == 200
    listed = (await admin.get(path)).json()
    assert [set(item) for item in listed["items"]] == [{"id", "created"}] * 2
    assert listed["items"][1]["id"] == second.json()["id"]

    assert (await admin.delete(f"{path}/{listed['items'][0]['id']}")).status_code == 204
    assert (await admin.delete(f"{path}/{listed['items'][0]['id']}")).status_code == 404
    assert (await client.login()).status_code == 401
    assert (await renewed.login()).status_code == 200
    assert (await admin.post(path)).status_code == 201


async def test_a_secret_belongs_to_one_client(api: IdentityApi, admin: Actor) -> None:
    first, second = [await api.actor("dukcapil", "publisher") for _ in range(2)]
    assert (await Actor(api, first.id, second.secret).login()).status_code == 401
    theirs = (await admin.get(f"/v1/clients/{second.id}/secrets")).json()["items"][0]["id"]
    wrong = await admin.delete(f"/v1/clients/{first.id}/secrets/{theirs}")
    assert wrong.status_code == 404
    await api.execute(
        "UPDATE client_secrets SET client = :first WHERE id = :id",
        {"first": first.id, "id": theirs},
    )
    moved = await Actor(api, first.id, second.secret).login()
    assert moved.status_code == 401, "a hash that was moved to another client opens nothing"


async def test_two_administrators_at_once_make_no_third_secret(
    api: IdentityApi, admin: Actor
) -> None:
    client = await api.actor("dukcapil", "publisher")
    await admin.get("/v1/organisations")
    path = f"/v1/clients/{client.id}/secrets"
    answers = await asyncio.gather(*(admin.post(path) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]


# The whole


async def test_a_change_that_was_made_is_answered_so(
    api: IdentityApi, admin: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only this process's view is late then; the regular load makes up for it."""
    await admin.get("/v1/organisations")

    async def away(self: IdentityApi, topic: Topic) -> None:
        raise Unavailable("the database does not answer")

    monkeypatch.setattr(IdentityApi, "refresh", away)
    made = await admin.post("/v1/organisations", {"name": "bps", "title": "BPS"})
    assert made.status_code == 201


async def test_every_change_is_logged_with_who_made_it(api: IdentityApi, admin: Actor) -> None:
    with capture_logs() as logs:
        client = await api.actor("dukcapil", "publisher")
        path = f"/v1/clients/{client.id}"
        await admin.patch(path, {"title": "Renamed"})
        secret = (await admin.get(f"{path}/secrets")).json()["items"][0]["id"]
        await admin.delete(f"{path}/secrets/{secret}")
        grants = "/v1/organisations/dukcapil/grants"
        made = await admin.post(grants, {"action": "subscribe", "type": "id.go.bps.*"})
        await admin.delete(made.headers["location"])
    changes = [entry for entry in logs if not entry["event"].startswith("token.")]
    assert [entry["event"] for entry in changes] == [
        "organisation.created",
        "client.created",
        "secret.created",
        "client.changed",
        "secret.removed",
        "grant.created",
        "grant.removed",
    ]
    assert {entry["by"] for entry in changes} == {"nusabus-admin"}

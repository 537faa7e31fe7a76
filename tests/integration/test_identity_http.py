"""Organisations, grants and clients over HTTP: who may do what, and what a stranger learns."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from gateway.database import Topic
from gateway.errors import Unavailable
from tests.integration.identity_world import Actor, World, a_world

KTP = "id.go.dukcapil.ktp.dibuat.v1"


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with a_world(database_url, empty=True) as world:
        yield world


@pytest.fixture
async def admin(world: World) -> Actor:
    return await world.administrator()


async def pieces(actor: Actor, path: str, limit: int) -> list[list[str]]:
    """All pieces of a list, each as the values that it is ordered by."""
    found: list[list[str]] = []
    following = ""
    while True:
        answer = await actor.get(f"{path}?limit={limit}{following}")
        assert answer.status_code == 200, answer.text
        piece = answer.json()
        found.append([item.get("name") or item["id"] for item in piece["items"]])
        if piece["next"] is None:
            return found
        following = f"&cursor={piece['next']}"


# Organisations


async def test_an_organisation_is_made_once(admin: Actor) -> None:
    body = {"name": "dukcapil", "title": "Ditjen Dukcapil", "description": "Civil\nregistration"}
    made = await admin.post("/v1/organisations", body)
    assert made.status_code == 201
    assert made.headers["location"] == "/v1/organisations/dukcapil"
    shown = (await admin.get(made.headers["location"])).json()
    assert shown == made.json()
    assert shown.pop("created").endswith("Z")
    assert shown == {**body, "operator": False}
    assert (await admin.post("/v1/organisations", body)).status_code == 409


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": "dukcapil"},
        {"name": "d", "title": "x"},
        {"name": "Dukcapil", "title": "x"},
        {"name": "7dukcapil", "title": "x"},
        {"name": "a.b", "title": "x"},
        {"name": "dukcapil\n", "title": "x"},
        {"name": "d" * 32, "title": "x"},
        {"name": "dukcapil", "title": ""},
        {"name": "dukcapil", "title": "x" * 201},
        {"name": "dukcapil", "title": "a\u0000b"},
        {"name": "dukcapil", "title": "x", "description": "\u0000"},
        {"name": "dukcapil", "title": "x", "operator": True},
        {"name": "dukcapil", "title": 7},
        [],
    ],
)
async def test_what_is_no_organisation(admin: Actor, body: object) -> None:
    answer = await admin.post("/v1/organisations", body)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


async def test_text_that_is_none_is_refused(world: World, admin: Actor) -> None:
    await admin.get("/v1/organisations")
    headers = {"authorization": f"Bearer {admin.token}", "content-type": "application/json"}
    for title in (b'"a\\ud800b"', b'"\xff"'):
        body = b'{"name": "dukcapil", "title": %s}' % title
        answer = await world.http.post("/v1/organisations", content=body, headers=headers)
        assert 400 <= answer.status_code < 500, answer.text


@pytest.mark.parametrize("name", ["nobody", "%00", "%ED%A0%80", "a%2Fb", "x" * 500])
async def test_no_such_organisation(admin: Actor, name: str) -> None:
    assert (await admin.get(f"/v1/organisations/{name}")).status_code == 404
    assert (await admin.get(f"/v1/organisations/{name}/grants")).status_code == 404


async def test_everybody_inside_sees_the_organisations_in_pieces(
    world: World, admin: Actor
) -> None:
    names = [f"org-{number}" for number in range(5)]
    for name in reversed(names):
        await admin.post("/v1/organisations", {"name": name, "title": name})
    reader = await world.actor("bps", "subscriber")
    assert await pieces(reader, "/v1/organisations", 3) == [
        ["bps", "nusabus", "org-0"],
        names[1:4],
        names[4:],
    ]
    assert await pieces(reader, "/v1/organisations", 7) == [["bps", "nusabus", *names]]


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "cursor=*", "cursor="])
async def test_bad_paging_is_refused(admin: Actor, query: str) -> None:
    assert (await admin.get(f"/v1/organisations?{query}")).status_code == 422


async def test_only_the_operators_administrator_makes_organisations(world: World) -> None:
    body = {"name": "bmkg", "title": "BMKG"}
    for organisation, roles in (
        ("dukcapil", ("admin", "publisher", "subscriber", "auditor")),
        ("nusabus", ("publisher", "subscriber", "auditor")),
    ):
        actor = await world.actor(organisation, *roles)
        assert (await actor.post("/v1/organisations", body)).status_code == 403


# Clients


async def test_a_client_is_made_and_changed(world: World, admin: Actor) -> None:
    await world.actor("dukcapil", "publisher")
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


async def test_an_administrator_manages_its_own_organisation_only(world: World) -> None:
    inside = await world.actor("dukcapil", "admin")
    colleague = await inside.hire("dukcapil", "publisher")
    outside = await world.actor("bps", "admin", "auditor")

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


async def test_an_administrator_makes_no_client_elsewhere(world: World) -> None:
    actor = await world.actor("dukcapil", "admin")
    await world.actor("bps", "publisher")
    for organisation in ("nusabus", "bps", "unknown"):
        body = {"organisation": organisation, "title": "x", "roles": ["publisher"]}
        assert (await actor.post("/v1/clients", body)).status_code == 403


async def test_the_operator_lists_all_or_those_of_one(world: World, admin: Actor) -> None:
    made = [await world.actor(name, "publisher") for name in ("bps", "dukcapil")]
    listed = (await admin.get("/v1/clients")).json()["items"]
    assert [item["id"] for item in listed] == sorted([admin.id, *(client.id for client in made)])
    for name, expected in (("bps", [made[0].id]), ("unknown", []), ("%00", [])):
        listed = (await admin.get(f"/v1/clients?organisation={name}")).json()["items"]
        assert [item["id"] for item in listed] == expected


async def test_the_roles_that_may_read_and_write_clients(world: World) -> None:
    for role, reads, writes in (
        ("publisher", 403, 403),
        ("subscriber", 403, 403),
        ("auditor", 200, 403),
    ):
        actor = await world.actor("dukcapil", role)
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


async def test_roles_are_in_force_at_once(world: World, admin: Actor) -> None:
    actor = await world.actor("dukcapil", "publisher")
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


async def test_secrets_rotate_two_at_a_time(world: World, admin: Actor) -> None:
    client = await world.actor("dukcapil", "publisher")
    path = f"/v1/clients/{client.id}/secrets"
    second = await admin.post(path)
    assert second.headers["cache-control"] == "no-store"
    assert set(second.json()) == {"id", "created", "secret"}
    assert second.json()["secret"] != client.secret
    assert (await admin.post(path)).status_code == 409

    renewed = Actor(world, client.id, second.json()["secret"])
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


async def test_a_secret_belongs_to_one_client(world: World, admin: Actor) -> None:
    first, second = [await world.actor("dukcapil", "publisher") for _ in range(2)]
    assert (await Actor(world, first.id, second.secret).login()).status_code == 401
    theirs = (await admin.get(f"/v1/clients/{second.id}/secrets")).json()["items"][0]["id"]
    wrong = await admin.delete(f"/v1/clients/{first.id}/secrets/{theirs}")
    assert wrong.status_code == 404
    await world.execute(
        "UPDATE client_secrets SET client = :first WHERE id = :id",
        {"first": first.id, "id": theirs},
    )
    moved = await Actor(world, first.id, second.secret).login()
    assert moved.status_code == 401, "a hash that was moved to another client opens nothing"


async def test_two_administrators_at_once_make_no_third_secret(world: World, admin: Actor) -> None:
    client = await world.actor("dukcapil", "publisher")
    await admin.get("/v1/organisations")
    path = f"/v1/clients/{client.id}/secrets"
    answers = await asyncio.gather(*(admin.post(path) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]


# Grants


async def test_an_owner_opens_its_types_to_another(world: World, admin: Actor) -> None:
    owner = await world.actor("dukcapil", "admin")
    guest = await world.actor("bps", "publisher", "subscriber")
    client = world.directory.clients[guest.id]
    assert not world.directory.may_publish(client, KTP, "dukcapil")
    path = "/v1/organisations/bps/grants"
    body = {"action": "publish", "type": "id.go.dukcapil.ktp.*"}
    made = await owner.post(path, body)
    assert made.status_code == 201
    assert made.json() == body | {
        "id": made.json()["id"],
        "organisation": "bps",
        "granted_by": owner.id,
        "created": made.json()["created"],
    }
    assert world.directory.may_publish(client, KTP, "dukcapil")
    assert not world.directory.may_receive("bps", KTP)
    assert (await owner.post(path, body)).status_code == 409

    for actor in (owner, guest, admin):
        assert (await actor.get(path)).json()["items"] == [made.json()]
    assert (await guest.delete(made.headers["location"])).status_code == 403
    assert (await owner.delete(made.headers["location"])).status_code == 204
    assert (await owner.delete(made.headers["location"])).status_code == 404
    assert not world.directory.may_publish(client, KTP, "dukcapil")


@pytest.mark.parametrize(
    ("type", "status"),
    [
        (KTP, 201),
        ("id.go.dukcapil.*", 201),
        ("id.go.dukcapil.*.dibuat.v1", 201),
        ("id.go.*", 403),
        ("id.go.*.ktp.dibuat.v1", 403),
        ("id.go.bps.statistik.diperbarui.v1", 403),
        ("id.go.dukcapil", 422),
        ("id.go.dukcapil.#", 422),
        ("*", 422),
        ("id.go.dukcapil.*\u0000", 422),
    ],
)
async def test_what_an_owner_may_grant(world: World, type: str, status: int) -> None:
    owner = await world.actor("dukcapil", "admin")
    await world.actor("bps", "subscriber")
    body = {"action": "subscribe", "type": type}
    answer = await owner.post("/v1/organisations/bps/grants", body)
    assert answer.status_code == status
    assert (await owner.post("/v1/organisations/unknown/grants", body)).status_code in (
        404 if status == 201 else status,
    )


async def test_the_operator_grants_anything(world: World, admin: Actor) -> None:
    await world.actor("bps", "subscriber")
    path = "/v1/organisations/bps/grants"
    for type in ("id.go.*", KTP, "id.go.*.ktp.dibuat.v1"):
        body = {"action": "subscribe", "type": type}
        assert (await admin.post(path, body)).status_code == 201
    listed = await pieces(admin, path, 2)
    assert [len(piece) for piece in listed] == [2, 1]
    for piece in listed:
        for id in piece:
            assert (await admin.delete(f"{path}/{id}")).status_code == 204


async def test_a_grant_is_seen_by_those_whom_it_concerns(world: World, admin: Actor) -> None:
    owner = await world.actor("dukcapil", "admin")
    other_owner = await world.actor("bmkg", "auditor")
    guest = await world.actor("bps", "subscriber")
    path = "/v1/organisations/bps/grants"
    types = (KTP, "id.go.bmkg.gempa.terdeteksi.v1")
    for type in types:
        await admin.post(path, {"action": "subscribe", "type": type})

    async def seen(actor: Actor) -> set[str]:
        return {item["type"] for item in (await actor.get(path)).json()["items"]}

    assert await seen(guest) == await seen(admin) == set(types)
    assert await seen(owner) == {KTP}
    assert await seen(other_owner) == {types[1]}
    stranger = await world.actor("oss", "publisher", "subscriber")
    assert (await stranger.get(path)).status_code == 403

    foreign = (await admin.get(path)).json()["items"]
    [gempa] = [item["id"] for item in foreign if item["type"] == types[1]]
    assert (await owner.delete(f"{path}/{gempa}")).status_code == 404
    assert (await admin.delete(f"/v1/organisations/oss/grants/{gempa}")).status_code == 404
    for nonsense in ("unknown", "%00"):
        assert (await admin.delete(f"{path}/{nonsense}")).status_code == 404


async def test_only_administrators_grant(world: World) -> None:
    for organisation in ("dukcapil", "nusabus"):
        actor = await world.actor(organisation, "publisher", "subscriber", "auditor")
        body = {"action": "subscribe", "type": KTP}
        answer = await actor.post(f"/v1/organisations/{organisation}/grants", body)
        assert answer.status_code == 403


# The whole


async def test_a_change_that_was_made_is_answered_so(
    world: World, admin: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only this process's view is late then; the regular load makes up for it."""
    await admin.get("/v1/organisations")

    async def away(self: World, topic: Topic) -> None:
        raise Unavailable("the database does not answer")

    monkeypatch.setattr(World, "refresh", away)
    made = await admin.post("/v1/organisations", {"name": "bps", "title": "BPS"})
    assert made.status_code == 201


async def test_every_change_is_logged_with_who_made_it(world: World, admin: Actor) -> None:
    with capture_logs() as logs:
        client = await world.actor("dukcapil", "publisher")
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

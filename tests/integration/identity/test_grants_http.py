"""Grants over HTTP: who may open which types to whom."""

import pytest

from tests.integration.identity_api import Actor, IdentityApi, pieces

KTP = "id.go.dukcapil.ktp.dibuat.v1"


# Grants


async def test_an_owner_opens_its_types_to_another(api: IdentityApi, admin: Actor) -> None:
    owner = await api.actor("dukcapil", "admin")
    guest = await api.actor("bps", "publisher", "subscriber")
    client = api.directory.clients[guest.id]
    assert not api.directory.may_publish(client, KTP, "dukcapil")
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
    assert api.directory.may_publish(client, KTP, "dukcapil")
    assert not api.directory.may_receive("bps", KTP)
    assert (await owner.post(path, body)).status_code == 409

    for actor in (owner, guest, admin):
        assert (await actor.get(path)).json()["items"] == [made.json()]
    assert (await guest.delete(made.headers["location"])).status_code == 403
    assert (await owner.delete(made.headers["location"])).status_code == 204
    assert (await owner.delete(made.headers["location"])).status_code == 404
    assert not api.directory.may_publish(client, KTP, "dukcapil")


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
async def test_what_an_owner_may_grant(api: IdentityApi, type: str, status: int) -> None:
    owner = await api.actor("dukcapil", "admin")
    await api.actor("bps", "subscriber")
    body = {"action": "subscribe", "type": type}
    answer = await owner.post("/v1/organisations/bps/grants", body)
    assert answer.status_code == status
    assert (await owner.post("/v1/organisations/unknown/grants", body)).status_code in (
        404 if status == 201 else status,
    )


async def test_the_operator_grants_anything(api: IdentityApi, admin: Actor) -> None:
    await api.actor("bps", "subscriber")
    path = "/v1/organisations/bps/grants"
    for type in ("id.go.*", KTP, "id.go.*.ktp.dibuat.v1"):
        body = {"action": "subscribe", "type": type}
        assert (await admin.post(path, body)).status_code == 201
    listed = await pieces(admin, path, 2)
    assert [len(piece) for piece in listed] == [2, 1]
    for piece in listed:
        for id in piece:
            assert (await admin.delete(f"{path}/{id}")).status_code == 204


async def test_a_grant_is_seen_by_those_whom_it_concerns(api: IdentityApi, admin: Actor) -> None:
    owner = await api.actor("dukcapil", "admin")
    other_owner = await api.actor("bmkg", "auditor")
    guest = await api.actor("bps", "subscriber")
    path = "/v1/organisations/bps/grants"
    types = (KTP, "id.go.bmkg.gempa.terdeteksi.v1")
    for type in types:
        await admin.post(path, {"action": "subscribe", "type": type})

    async def seen(actor: Actor) -> set[str]:
        return {item["type"] for item in (await actor.get(path)).json()["items"]}

    assert await seen(guest) == await seen(admin) == set(types)
    assert await seen(owner) == {KTP}
    assert await seen(other_owner) == {types[1]}
    stranger = await api.actor("oss", "publisher", "subscriber")
    assert (await stranger.get(path)).status_code == 403

    foreign = (await admin.get(path)).json()["items"]
    [gempa] = [item["id"] for item in foreign if item["type"] == types[1]]
    assert (await owner.delete(f"{path}/{gempa}")).status_code == 404
    assert (await admin.delete(f"/v1/organisations/oss/grants/{gempa}")).status_code == 404
    for nonsense in ("unknown", "%00"):
        assert (await admin.delete(f"{path}/{nonsense}")).status_code == 404


async def test_only_administrators_grant(api: IdentityApi) -> None:
    for organisation in ("dukcapil", "nusabus"):
        actor = await api.actor(organisation, "publisher", "subscriber", "auditor")
        body = {"action": "subscribe", "type": KTP}
        answer = await actor.post(f"/v1/organisations/{organisation}/grants", body)
        assert answer.status_code == 403

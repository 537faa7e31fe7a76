"""Signing keys: made, published, rotated, withdrawn."""

import asyncio
from datetime import timedelta

import pytest
from joserfc import jws, jwt
from joserfc.jwk import KeySet

from gateway import identity
from gateway.base.database import Topic
from gateway.identity import KeyState, WrongSecretKey
from tests.integration.identity_world import (
    URL,
    Actor,
    World,
    a_world,
    settings_for,
)

# Signing keys


async def jwks(world: World) -> dict[str, dict[str, str]]:
    answer = await world.http.get("/.well-known/jwks.json")
    assert answer.headers["cache-control"] == "public, max-age=300"
    return {key["kid"]: key for key in answer.json()["keys"]}


async def states(world: World) -> dict[str, str]:
    return {key.state: key.kid for key in world.directory.signing_keys}


async def age(world: World, **ago: float) -> None:
    """Let all keys be as old as said."""
    await world.execute(
        "UPDATE signing_keys SET created = created - ago, activated = activated - ago,"
        " retired = retired - ago FROM (SELECT CAST(:ago AS interval) AS ago)",
        {"ago": timedelta(**ago)},
    )


async def test_the_published_keys_check_a_token(world: World, admin: Actor) -> None:
    answer = (await world.http.get("/.well-known/jwks.json")).json()
    token = (await admin.login()).json()["access_token"]
    read = jwt.decode(token, KeySet.import_key_set(answer), algorithms=["ES256"])
    assert read.claims["sub"] == admin.id
    assert read.claims["iss"] == URL
    for key in answer["keys"]:
        assert set(key) == {"kty", "crv", "x", "y", "kid", "use", "alg"}
        assert (key["kty"], key["crv"], key["use"], key["alg"]) == ("EC", "P-256", "sig", "ES256")


async def test_processes_that_start_together_make_one_pair_of_keys(database_url: str) -> None:
    async with a_world(database_url, empty=True) as world:
        await world.execute("DELETE FROM signing_keys")
        await asyncio.gather(
            *(identity.maintain_signing_keys(world.database, world.settings) for _ in range(8))
        )
        states = await world.query("SELECT state FROM signing_keys ORDER BY state")
        assert states == ["active", "next"]


async def test_a_rotation_is_not_felt(world: World, admin: Actor) -> None:
    before = await states(world)
    assert (await admin.get("/v1/organisations")).status_code == 200
    await age(world, seconds=11)
    rotated = await admin.post("/v1/signing-keys")
    assert rotated.status_code == 201
    now = {item["state"]: item["kid"] for item in rotated.json()["items"]}
    assert now["active"] == before["next"]
    assert now["retired"] == before["active"]
    assert set(await jwks(world)) == set(now.values())

    assert (await admin.get("/v1/organisations")).status_code == 200
    renewed = (await admin.login()).json()["access_token"]
    assert jws.extract_compact(renewed.encode()).headers()["kid"] == now["active"]
    assert world.tokens.verify(renewed) == admin.id


async def test_a_key_that_nobody_may_know_yet_does_not_sign(admin: Actor) -> None:
    answer = await admin.post("/v1/signing-keys")
    assert answer.status_code == 409


async def test_a_retired_key_goes_when_its_last_token_has_expired(
    world: World, admin: Actor
) -> None:
    await age(world, seconds=11)
    await admin.post("/v1/signing-keys")
    retired = (await states(world))["retired"]
    await age(world, seconds=600)
    await identity.maintain_signing_keys(world.database, world.settings)
    assert retired in await jwks(world)
    await age(world, seconds=61)
    await identity.maintain_signing_keys(world.database, world.settings)
    await world.refresh(Topic.IDENTITY)
    assert retired not in await jwks(world)
    assert (await admin.get("/v1/organisations")).status_code == 401


async def test_a_withdrawn_key_ends_its_tokens_now(world: World, admin: Actor) -> None:
    in_force = await states(world)
    for kid in in_force.values():
        assert (await admin.delete(f"/v1/signing-keys/{kid}")).status_code == 409
    await age(world, seconds=11)
    await admin.post("/v1/signing-keys")
    assert (await admin.delete("/v1/signing-keys/unknown")).status_code == 404
    assert (await admin.delete("/v1/signing-keys/%00")).status_code == 404
    assert (await admin.delete(f"/v1/signing-keys/{in_force['active']}")).status_code == 204
    assert (await admin.get("/v1/organisations")).status_code == 401
    renewed = Actor(world, admin.id, admin.secret)
    assert (await renewed.get("/v1/organisations")).status_code == 200


async def test_an_old_key_is_rotated_by_upkeep(world: World) -> None:
    before = await states(world)
    await identity.maintain_signing_keys(world.database, world.settings)
    await world.refresh(Topic.IDENTITY)
    assert await states(world) == before
    await age(world, days=91)
    await identity.maintain_signing_keys(world.database, world.settings)
    await world.refresh(Topic.IDENTITY)
    after = await states(world)
    assert (after["active"], after["retired"]) == (before["next"], before["active"])
    await age(world, days=90)
    await world.execute("UPDATE signing_keys SET created = now() WHERE state = 'next'")
    await identity.maintain_signing_keys(world.database, world.settings)
    await world.refresh(Topic.IDENTITY)
    assert (await states(world))["active"] == after["active"], "the next one is too young"


async def test_upkeep_costs_no_write_when_nothing_is_due(world: World) -> None:
    before = await world.database.revisions()
    await identity.maintain_signing_keys(world.database, world.settings)
    assert await world.database.revisions() == before


async def test_private_keys_are_sealed(world: World, database_url: str) -> None:
    other = settings_for(database_url, NUSABUS_SECRET_KEY="another secret key, only for tests..")
    with pytest.raises(WrongSecretKey):
        await identity.maintain_signing_keys(world.database, other)
    active = next(k for k in world.directory.signing_keys if k.state is KeyState.ACTIVE)
    private = active.private(world.settings.secret_key).as_dict(private=True)["d"]
    rows = await world.query("SELECT signing_keys::text FROM signing_keys")
    assert str(private) not in repr(rows)


async def test_signing_keys_are_for_the_operator(world: World) -> None:
    outsider = await world.actor("dukcapil", "admin", "auditor")
    auditor = await world.actor("nusabus", "auditor")
    for actor, listed in ((outsider, 403), (auditor, 200)):
        assert (await actor.get("/v1/signing-keys")).status_code == listed
        assert (await actor.post("/v1/signing-keys")).status_code == 403
        assert (await actor.delete("/v1/signing-keys/x")).status_code == 403

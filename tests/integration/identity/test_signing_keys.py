"""Signing keys: made, published, rotated, withdrawn."""

import asyncio
from datetime import timedelta

import pytest
from joserfc import jws, jwt
from joserfc.jwk import KeySet

from gateway import identity
from gateway.base.database import Topic
from gateway.identity import KeyState, WrongSecretKey
from tests.integration.identity_api import (
    URL,
    Actor,
    IdentityApi,
    an_identity_api,
    settings_for,
)

# Signing keys


async def jwks(api: IdentityApi) -> dict[str, dict[str, str]]:
    answer = await api.http.get("/.well-known/jwks.json")
    assert answer.headers["cache-control"] == "public, max-age=300"
    return {key["kid"]: key for key in answer.json()["keys"]}


async def states(api: IdentityApi) -> dict[str, str]:
    return {key.state: key.kid for key in api.directory.signing_keys}


async def age(api: IdentityApi, **ago: float) -> None:
    """Let all keys be as old as said."""
    await api.execute(
        "UPDATE signing_keys SET created = created - ago, activated = activated - ago,"
        " retired = retired - ago FROM (SELECT CAST(:ago AS interval) AS ago)",
        {"ago": timedelta(**ago)},
    )


async def test_the_published_keys_check_a_token(api: IdentityApi, admin: Actor) -> None:
    answer = (await api.http.get("/.well-known/jwks.json")).json()
    token = (await admin.login()).json()["access_token"]
    read = jwt.decode(token, KeySet.import_key_set(answer), algorithms=["ES256"])
    assert read.claims["sub"] == admin.id
    assert read.claims["iss"] == URL
    for key in answer["keys"]:
        assert set(key) == {"kty", "crv", "x", "y", "kid", "use", "alg"}
        assert (key["kty"], key["crv"], key["use"], key["alg"]) == ("EC", "P-256", "sig", "ES256")


async def test_processes_that_start_together_make_one_pair_of_keys(database_url: str) -> None:
    async with an_identity_api(database_url, empty=True) as api:
        await api.execute("DELETE FROM signing_keys")
        await asyncio.gather(
            *(identity.maintain_signing_keys(api.database, api.settings) for _ in range(8))
        )
        states = await api.query("SELECT state FROM signing_keys ORDER BY state")
        assert states == ["active", "next"]


async def test_a_rotation_is_not_felt(api: IdentityApi, admin: Actor) -> None:
    before = await states(api)
    assert (await admin.get("/v1/organisations")).status_code == 200
    await age(api, seconds=11)
    rotated = await admin.post("/v1/signing-keys")
    assert rotated.status_code == 201
    now = {item["state"]: item["kid"] for item in rotated.json()["items"]}
    assert now["active"] == before["next"]
    assert now["retired"] == before["active"]
    assert set(await jwks(api)) == set(now.values())

    assert (await admin.get("/v1/organisations")).status_code == 200
    renewed = (await admin.login()).json()["access_token"]
    assert jws.extract_compact(renewed.encode()).headers()["kid"] == now["active"]
    assert api.tokens.verify(renewed).client == admin.id


async def test_a_key_that_nobody_may_know_yet_does_not_sign(admin: Actor) -> None:
    answer = await admin.post("/v1/signing-keys")
    assert answer.status_code == 409


async def test_a_retired_key_goes_when_its_last_token_has_expired(
    api: IdentityApi, admin: Actor
) -> None:
    await age(api, seconds=11)
    await admin.post("/v1/signing-keys")
    retired = (await states(api))["retired"]
    await age(api, seconds=600)
    await identity.maintain_signing_keys(api.database, api.settings)
    assert retired in await jwks(api)
    await age(api, seconds=61)
    await identity.maintain_signing_keys(api.database, api.settings)
    await api.refresh(Topic.IDENTITY)
    assert retired not in await jwks(api)
    assert (await admin.get("/v1/organisations")).status_code == 401


async def test_a_withdrawn_key_ends_its_tokens_now(api: IdentityApi, admin: Actor) -> None:
    in_force = await states(api)
    for kid in in_force.values():
        assert (await admin.delete(f"/v1/signing-keys/{kid}")).status_code == 409
    await age(api, seconds=11)
    await admin.post("/v1/signing-keys")
    assert (await admin.delete("/v1/signing-keys/unknown")).status_code == 404
    assert (await admin.delete("/v1/signing-keys/%00")).status_code == 404
    assert (await admin.delete(f"/v1/signing-keys/{in_force['active']}")).status_code == 204
    assert (await admin.get("/v1/organisations")).status_code == 401
    renewed = Actor(api, admin.id, admin.secret)
    assert (await renewed.get("/v1/organisations")).status_code == 200


async def test_an_old_key_is_rotated_by_upkeep(api: IdentityApi) -> None:
    before = await states(api)
    await identity.maintain_signing_keys(api.database, api.settings)
    await api.refresh(Topic.IDENTITY)
    assert await states(api) == before
    await age(api, days=91)
    await identity.maintain_signing_keys(api.database, api.settings)
    await api.refresh(Topic.IDENTITY)
    after = await states(api)
    assert (after["active"], after["retired"]) == (before["next"], before["active"])
    await age(api, days=90)
    await api.execute("UPDATE signing_keys SET created = now() WHERE state = 'next'")
    await identity.maintain_signing_keys(api.database, api.settings)
    await api.refresh(Topic.IDENTITY)
    assert (await states(api))["active"] == after["active"], "the next one is too young"


async def test_upkeep_costs_no_write_when_nothing_is_due(api: IdentityApi) -> None:
    before = await api.database.revisions()
    await identity.maintain_signing_keys(api.database, api.settings)
    assert await api.database.revisions() == before


async def test_private_keys_are_sealed(api: IdentityApi, database_url: str) -> None:
    other = settings_for(database_url, NUSABUS_SECRET_KEY="another secret key, only for tests..")
    with pytest.raises(WrongSecretKey):
        await identity.maintain_signing_keys(api.database, other)
    active = next(k for k in api.directory.signing_keys if k.state is KeyState.ACTIVE)
    private = active.private(api.settings.secret_key).as_dict(private=True)["d"]
    rows = await api.query("SELECT signing_keys::text FROM signing_keys")
    assert str(private) not in repr(rows)


async def test_signing_keys_are_for_the_operator(api: IdentityApi) -> None:
    outsider = await api.actor("dukcapil", "admin", "auditor")
    auditor = await api.actor("nusabus", "auditor")
    for actor, listed in ((outsider, 403), (auditor, 200)):
        assert (await actor.get("/v1/signing-keys")).status_code == listed
        assert (await actor.post("/v1/signing-keys")).status_code == 403
        assert (await actor.delete("/v1/signing-keys/x")).status_code == 403

"""`POST /oauth/token` and the signing keys, on a real PostgreSQL."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from urllib.parse import quote_plus

import pytest
from joserfc import jws, jwt
from joserfc.jwk import KeySet
from pydantic import SecretStr
from structlog.testing import capture_logs

from gateway import identity
from gateway.database import Topic
from gateway.errors import Conflict
from gateway.identity import KeyState, WrongSecretKey
from gateway.identity.throttle import Throttle
from tests.integration.identity_world import (
    URL,
    Actor,
    World,
    a_world,
    settings_for,
)

FORM = "application/x-www-form-urlencoded"


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with a_world(database_url, empty=True) as world:
        yield world


@pytest.fixture
async def admin(world: World) -> Actor:
    return await world.administrator()


def basic(id: str, secret: str) -> str:
    return "Basic " + b64encode(f"{id}:{secret}".encode()).decode()


async def ask(world: World, body: str, **headers: str) -> tuple[int, dict[str, Any]]:
    """POST /oauth/token with exactly this body; the status and the answer."""
    sent = {"content-type": FORM} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    answer = await world.http.post("/oauth/token", content=body, headers=sent)
    assert answer.headers["cache-control"] == "no-store"
    assert ("www-authenticate" in answer.headers) is (answer.status_code == 401)
    return answer.status_code, answer.json()


async def test_a_token_by_basic_and_by_form(world: World, admin: Actor) -> None:
    by_basic = await ask(
        world, "grant_type=client_credentials", authorization=basic(admin.id, admin.secret)
    )
    by_form = await ask(
        world,
        f"grant_type=client_credentials&client_id={admin.id}&client_secret={admin.secret}&scope=",
        content_type=f"{FORM}; charset=UTF-8",
    )
    for status, answer in (by_basic, by_form):
        assert status == 200
        token = answer.pop("access_token")
        assert answer == {"token_type": "Bearer", "expires_in": 600}
        assert world.tokens.verify(token) == admin.id


async def test_basic_is_percent_decoded(world: World, admin: Actor) -> None:
    encoded = "".join(f"%{byte:02X}" for byte in admin.secret.encode())
    for authorization in (
        basic(quote_plus(admin.id), encoded),
        basic(admin.id, admin.secret).replace("Basic", "bAsIc"),
    ):
        status, _ = await ask(
            world,
            f"grant_type=client_credentials&client_id={admin.id}",
            authorization=authorization,
        )
        assert status == 200


GRANT = "grant_type=client_credentials"
RIGHT = f"{GRANT}&client_id={{id}}&client_secret={{secret}}"


@pytest.mark.parametrize(
    ("body", "headers", "status", "error"),
    [
        (GRANT, {}, 401, "invalid_client"),
        ("", {}, 401, "invalid_client"),
        (f"{GRANT}&client_id={{id}}", {}, 401, "invalid_client"),
        (f"{GRANT}&client_secret={{secret}}", {}, 401, "invalid_client"),
        (f"{GRANT}&client_id={{id}}&client_secret=", {}, 401, "invalid_client"),
        (f"{GRANT}&client_id={{id}}&client_secret=nbs_wrong", {}, 401, "invalid_client"),
        (f"{GRANT}&client_id=nobody&client_secret={{secret}}", {}, 401, "invalid_client"),
        (f"{GRANT}&client_id=%00&client_secret={{secret}}", {}, 401, "invalid_client"),
        (f"{GRANT}&client_id={{id}}%00&client_secret={{secret}}", {}, 401, "invalid_client"),
        (f"{GRANT}&client_id={{id}}&client_secret=%00", {}, 401, "invalid_client"),
        (f"{GRANT}&client_id={{id}}&client_secret={{secret}}+", {}, 401, "invalid_client"),
        (GRANT, {"authorization": "Bearer x"}, 401, "invalid_client"),
        (GRANT, {"authorization": "Basic"}, 401, "invalid_client"),
        (GRANT, {"authorization": "Basic !!!"}, 401, "invalid_client"),
        (GRANT, {"authorization": basic("a", "b")[:-3]}, 401, "invalid_client"),
        (GRANT, {"authorization": "Basic bm9jb2xvbg=="}, 401, "invalid_client"),
        (GRANT, {"authorization": "Basic //86eA=="}, 401, "invalid_client"),
        (GRANT, {"authorization": basic("%FF", "x")}, 401, "invalid_client"),
        (RIGHT, {"authorization": "{basic}"}, 400, "invalid_request"),
        (f"{GRANT}&client_id=another", {"authorization": "{basic}"}, 400, "invalid_request"),
        (RIGHT.replace(GRANT, ""), {}, 400, "invalid_request"),
        ("client_id={id}&client_secret={secret}", {}, 400, "invalid_request"),
        (RIGHT.replace(GRANT, "grant_type="), {}, 400, "invalid_request"),
        (RIGHT + "&grant_type=client_credentials", {}, 400, "invalid_request"),
        (RIGHT + "&x=1&x=2", {}, 400, "invalid_request"),
        (RIGHT + "&" + "&".join(f"p{n}=1" for n in range(40)), {}, 400, "invalid_request"),
        (RIGHT.replace("client_credentials", "password"), {}, 400, "unsupported_grant_type"),
        (RIGHT + "&scope=everything", {}, 400, "invalid_scope"),
        (RIGHT + "&x=%FF", {}, 400, "invalid_request"),
        (RIGHT + "&x=ÿ", {}, 400, "invalid_request"),
        ("novalue", {}, 400, "invalid_request"),
        (RIGHT, {"content_type": "application/json"}, 400, "invalid_request"),
        (RIGHT, {"content_type": "multipart/form-data; boundary=x"}, 400, "invalid_request"),
        (RIGHT, {"content_encoding": "gzip"}, 400, "invalid_request"),
        (RIGHT + "&x=" + "y" * 8200, {}, 413, "invalid_request"),
    ],
)
async def test_what_is_refused(
    world: World, admin: Actor, body: str, headers: dict[str, str], status: int, error: str
) -> None:
    known = {"id": admin.id, "secret": admin.secret, "basic": basic(admin.id, admin.secret)}
    sent = {name: value.format(**known) for name, value in headers.items()}
    with capture_logs() as logs:
        answered, answer = await ask(world, body.format(**known), **sent)
    assert (answered, answer["error"]) == (status, error)
    assert set(answer) == {"error", "error_description"}
    assert admin.secret not in repr((answer, logs))


async def test_credentials_in_the_url_are_refused(world: World, admin: Actor) -> None:
    query = f"{GRANT}&client_id={admin.id}&client_secret={admin.secret}"
    for content in ("", query):
        answer = await world.http.post(
            f"/oauth/token?{query}", content=content, headers={"content-type": FORM}
        )
        assert answer.json()["error"] == "invalid_request"


async def test_an_unknown_client_and_a_wrong_secret_look_alike(world: World, admin: Actor) -> None:
    wrong, unknown = [
        await world.http.post("/oauth/token", data={"grant_type": "client_credentials"}, auth=auth)
        for auth in ((admin.id, "nbs_wrong"), ("nobody", admin.secret))
    ]
    assert wrong.content == unknown.content
    assert wrong.headers == unknown.headers


async def test_guessing_is_slowed_down_for_the_guesser_only(world: World, admin: Actor) -> None:
    guess = {"client_id": admin.id, "client_secret": "nbs_guess", **dict([GRANT.split("=")])}
    codes = [(await world.http.post("/oauth/token", data=guess)).status_code for _ in range(12)]
    assert codes == [401] * 10 + [429] * 2
    refused = await admin.login()
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["retry-after"]) <= 6
    assert refused.json()["error"] == "temporarily_unavailable"

    from_elsewhere = await world.logins.client(admin.id, SecretStr(admin.secret), "192.0.2.7")
    assert from_elsewhere.id == admin.id


async def test_one_address_cannot_try_many_clients(world: World) -> None:
    world.logins._of_address = Throttle(burst=3, interval=60.0)
    codes = []
    for number in range(4):
        guess = {"client_id": f"c{number}", "client_secret": "x", **dict([GRANT.split("=")])}
        codes.append((await world.http.post("/oauth/token", data=guess)).status_code)
    assert codes == [401, 401, 401, 429]


async def test_a_disabled_client_gets_no_token_and_its_token_ends(
    world: World, admin: Actor
) -> None:
    client = await world.actor("dukcapil", "publisher")
    assert (await client.get("/v1/organisations")).status_code == 200
    changed = await admin.patch(f"/v1/clients/{client.id}", {"state": "disabled"})
    assert changed.json()["state"] == "disabled"
    assert (await client.get("/v1/organisations")).status_code == 401
    assert (await client.login()).status_code == 401
    await admin.patch(f"/v1/clients/{client.id}", {"state": "active"})
    assert (await client.get("/v1/organisations")).status_code == 200


async def test_every_missing_or_bad_token_gets_the_same_answer(world: World) -> None:
    headers: list[dict[str, str]] = [
        {},
        {"authorization": "Bearer"},
        {"authorization": "Bearer nonsense"},
        {"authorization": "Basic bm9ib2R5OnNlY3JldA=="},
    ]
    for path in ("/v1/organisations", "/v1/clients/nobody", "/v1/signing-keys"):
        answers = [await world.http.get(path, headers=each) for each in headers]
        assert {answer.status_code for answer in answers} == {401}
        assert len({answer.content for answer in answers}) == 1
        assert all(a.headers["www-authenticate"].startswith("Bearer") for a in answers)


async def test_another_process_knows_a_new_client_at_once(world: World, database_url: str) -> None:
    async with a_world(database_url) as other:
        client = await world.actor("dukcapil", "publisher")
        assert other.directory.client(client.id) is None
        token = (await client.login()).json()["access_token"]
        answer = await other.http.get(
            "/v1/organisations", headers={"authorization": f"Bearer {token}"}
        )
        assert answer.status_code == 200


async def test_nothing_secret_is_logged_or_stored(world: World, admin: Actor) -> None:
    with capture_logs() as logs:
        client = await world.actor("dukcapil", "publisher")
        await client.get("/v1/organisations")
        await Actor(world, client.id, "nbs_mistaken").login()
    stored = await world.query("SELECT digest FROM client_secrets")
    for secret in (client.secret, client.token, admin.secret, "nbs_mistaken"):
        assert secret not in repr(logs)
        assert secret.encode() not in b"".join(stored)
    assert {"client.created", "secret.created", "token.issued", "token.refused"} <= {
        entry["event"] for entry in logs
    }


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
        await asyncio.gather(*(identity.upkeep(world.database, world.settings) for _ in range(8)))
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
    await identity.upkeep(world.database, world.settings)
    assert retired in await jwks(world)
    await age(world, seconds=61)
    await identity.upkeep(world.database, world.settings)
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
    await identity.upkeep(world.database, world.settings)
    await world.refresh(Topic.IDENTITY)
    assert await states(world) == before
    await age(world, days=91)
    await identity.upkeep(world.database, world.settings)
    await world.refresh(Topic.IDENTITY)
    after = await states(world)
    assert (after["active"], after["retired"]) == (before["next"], before["active"])
    await age(world, days=90)
    await world.execute("UPDATE signing_keys SET created = now() WHERE state = 'next'")
    await identity.upkeep(world.database, world.settings)
    await world.refresh(Topic.IDENTITY)
    assert (await states(world))["active"] == after["active"], "the next one is too young"


async def test_upkeep_costs_no_write_when_nothing_is_due(world: World) -> None:
    before = await world.database.revisions()
    await identity.upkeep(world.database, world.settings)
    assert await world.database.revisions() == before


async def test_private_keys_are_sealed(world: World, database_url: str) -> None:
    other = settings_for(database_url, NUSABUS_SECRET_KEY="another secret key, only for tests..")
    with pytest.raises(WrongSecretKey):
        await identity.upkeep(world.database, other)
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


# The first client


async def test_bootstrap_makes_the_administrator_once(world: World) -> None:
    id, secret = await identity.bootstrap(world.database, world.settings, reset=False)
    admin = Actor(world, id, secret.get_secret_value())
    assert id == "nusabus-admin"
    assert admin.secret.startswith("nbs_")
    assert admin.secret not in repr(secret)
    assert (await admin.get("/v1/clients")).json()["items"][0]["id"] == id
    with pytest.raises(Conflict):
        await identity.bootstrap(world.database, world.settings, reset=False)
    assert (await admin.login()).status_code == 200


async def test_a_reset_gives_the_administrator_its_rights_back(world: World) -> None:
    old = await world.administrator()
    await world.execute("UPDATE clients SET state = 'disabled', roles = ARRAY['auditor']")
    id, secret = await identity.bootstrap(world.database, world.settings, reset=True)
    new = Actor(world, id, secret.get_secret_value())
    await world.refresh(Topic.IDENTITY)
    assert (await old.login()).status_code == 401
    assert (await new.get(f"/v1/clients/{id}")).json()["roles"] == ["admin", "auditor"]


async def test_the_operator_may_have_been_named_by_a_folder_of_contracts(world: World) -> None:
    for title in ("Nusabus", "The bus"):
        async with world.database.change(Topic.IDENTITY) as session:
            await identity.provide_organisation(
                session, name="nusabus", title=title, description="Operates it"
            )
    admin = await world.administrator()
    await world.refresh(Topic.IDENTITY)
    made = await admin.post("/v1/organisations", {"name": "bps", "title": "BPS"})
    assert made.status_code == 201
    assert (await admin.get("/v1/organisations/nusabus")).json()["title"] == "The bus"
    assert (await admin.get("/v1/organisations/nusabus")).json()["operator"] is True

"""`POST /oauth/token` and the signing keys, on a real PostgreSQL."""

import asyncio
from base64 import b64encode
from typing import Any
from urllib.parse import quote_plus

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from gateway.base.database import Topic
from gateway.base.errors import NotAuthenticated
from gateway.base.rate_limit import KeyedBuckets, RateLimit
from tests.integration.identity_api import (
    Actor,
    IdentityApi,
    an_identity_api,
)

FORM = "application/x-www-form-urlencoded"


def basic(id: str, secret: str) -> str:
    return "Basic " + b64encode(f"{id}:{secret}".encode()).decode()


async def ask(api: IdentityApi, body: str, **headers: str) -> tuple[int, dict[str, Any]]:
    """POST /oauth/token with exactly this body; the status and the answer."""
    sent = {"content-type": FORM} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    answer = await api.http.post("/oauth/token", content=body, headers=sent)
    assert answer.headers["cache-control"] == "no-store"
    assert ("www-authenticate" in answer.headers) is (answer.status_code == 401)
    return answer.status_code, answer.json()


async def test_a_token_by_basic_and_by_form(api: IdentityApi, admin: Actor) -> None:
    by_basic = await ask(
        api, "grant_type=client_credentials", authorization=basic(admin.id, admin.secret)
    )
    by_form = await ask(
        api,
        f"grant_type=client_credentials&client_id={admin.id}&client_secret={admin.secret}&scope=",
        content_type=f"{FORM}; charset=UTF-8",
    )
    for status, answer in (by_basic, by_form):
        assert status == 200
        token = answer.pop("access_token")
        assert answer == {"token_type": "Bearer", "expires_in": 600}
        assert api.tokens.verify(token).client == admin.id


async def test_basic_is_percent_decoded(api: IdentityApi, admin: Actor) -> None:
    encoded = "".join(f"%{byte:02X}" for byte in admin.secret.encode())
    for authorization in (
        basic(quote_plus(admin.id), encoded),
        basic(admin.id, admin.secret).replace("Basic", "bAsIc"),
    ):
        status, _ = await ask(
            api,
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
    api: IdentityApi, admin: Actor, body: str, headers: dict[str, str], status: int, error: str
) -> None:
    known = {"id": admin.id, "secret": admin.secret, "basic": basic(admin.id, admin.secret)}
    sent = {name: value.format(**known) for name, value in headers.items()}
    with capture_logs() as logs:
        answered, answer = await ask(api, body.format(**known), **sent)
    assert (answered, answer["error"]) == (status, error)
    assert set(answer) == {"error", "error_description"}
    assert admin.secret not in repr((answer, logs))


async def test_credentials_in_the_url_are_refused(api: IdentityApi, admin: Actor) -> None:
    query = f"{GRANT}&client_id={admin.id}&client_secret={admin.secret}"
    for content in ("", query):
        answer = await api.http.post(
            f"/oauth/token?{query}", content=content, headers={"content-type": FORM}
        )
        assert answer.json()["error"] == "invalid_request"


async def test_an_unknown_client_and_a_wrong_secret_look_alike(
    api: IdentityApi, admin: Actor
) -> None:
    wrong, unknown = [
        await api.http.post("/oauth/token", data={"grant_type": "client_credentials"}, auth=auth)
        for auth in ((admin.id, "nbs_wrong"), ("nobody", admin.secret))
    ]
    assert wrong.content == unknown.content
    assert wrong.headers == unknown.headers


def form(id: str, secret: str) -> dict[str, str]:
    return {"client_id": id, "client_secret": secret, **dict([GRANT.split("=")])}


def guess(id: str) -> dict[str, str]:
    return form(id, "nbs_guess")


async def codes_of(api: IdentityApi, *guesses: dict[str, str]) -> list[int]:
    return [(await api.http.post("/oauth/token", data=each)).status_code for each in guesses]


async def test_guessing_at_a_client_is_slowed_down_for_its_address(
    api: IdentityApi, admin: Actor
) -> None:
    await api.refresh(Topic.IDENTITY)
    assert await codes_of(api, *[guess(admin.id)] * 12) == [401] * 10 + [429] * 2
    refused = await api.http.post("/oauth/token", data=guess(admin.id))
    assert 1 <= int(refused.headers["retry-after"]) <= 6
    assert refused.json()["error"] == "temporarily_unavailable"
    with pytest.raises(NotAuthenticated):  # from elsewhere it is checked
        await api.authenticator.authenticate(admin.id, SecretStr("nbs_guess"), "192.0.2.7")


async def test_parallel_guesses_count_as_well(api: IdentityApi, admin: Actor) -> None:
    api.authenticator._attempts_on_client = KeyedBuckets(RateLimit(rate=1 / 600, burst=10))
    await api.refresh(Topic.IDENTITY)
    codes = await asyncio.gather(*(codes_of(api, guess(admin.id)) for _ in range(30)))
    assert sorted(code for each in codes for code in each) == [401] * 10 + [429] * 20


async def test_guessing_at_unknown_clients_is_slowed_down_for_its_address(api: IdentityApi) -> None:
    api.authenticator._attempts_on_unknown = KeyedBuckets(RateLimit(rate=1 / 60, burst=3))
    assert await codes_of(api, *(guess(f"c{number}") for number in range(4))) == [401] * 3 + [429]


async def test_a_good_client_behind_a_noisy_address_gets_its_token(
    api: IdentityApi, admin: Actor
) -> None:
    """Ministries share the address of a proxy: one with a wrong secret must not stop the others."""
    api.authenticator._attempts_on_unknown = KeyedBuckets(RateLimit(rate=1 / 600, burst=3))
    api.authenticator._attempts_on_client = KeyedBuckets(RateLimit(rate=1 / 600, burst=10))
    good, wrong = await api.actor("dukcapil", "publisher"), await api.actor("bps", "publisher")
    noise = [guess(wrong.id)] * 12 + [guess(f"c{number}") for number in range(9)]
    noise += [guess(good.id)] * 12  # even where the noise uses its own id
    await api.refresh(Topic.IDENTITY)
    assert {429} == {(await codes_of(api, *noise))[at] for at in (11, 20, 32)}
    assert (await good.login()).status_code == 200
    assert (await admin.login()).status_code == 200
    assert await codes_of(api, form(wrong.id, wrong.secret)) == [200]
    assert (await api.actor("bmkg", "publisher")).id  # a secret that is made now works as well


async def test_a_secret_made_elsewhere_works_at_once(api: IdentityApi, database_url: str) -> None:
    async with an_identity_api(database_url) as other:
        client = await api.actor("dukcapil", "publisher")
        assert other.directory.client(client.id) is None
        assert await codes_of(other, form(client.id, client.secret)) == [200]


async def test_a_deleted_secret_voids_the_tokens_that_it_got(
    api: IdentityApi, admin: Actor, database_url: str
) -> None:
    client = await api.actor("dukcapil", "publisher")
    path = f"/v1/clients/{client.id}/secrets"
    (first,) = (await admin.get(path)).json()["items"]
    second = Actor(api, client.id, (await admin.post(path)).json()["secret"])
    for each in (client, second):
        assert (await each.get("/v1/organisations")).status_code == 200
    async with an_identity_api(database_url) as other:
        assert (await admin.delete(f"{path}/{first['id']}")).status_code == 204
        assert (await client.get("/v1/organisations")).status_code == 401
        assert (await client.login()).status_code == 401
        assert (await second.get("/v1/organisations")).status_code == 200
        await other.refresh(Topic.IDENTITY)
        for each, status in ((client, 401), (second, 200)):
            headers = {"authorization": f"Bearer {each.token}"}
            assert (
                await other.http.get("/v1/organisations", headers=headers)
            ).status_code == status


async def test_a_disabled_client_gets_no_token_and_its_token_ends(
    api: IdentityApi, admin: Actor
) -> None:
    client = await api.actor("dukcapil", "publisher")
    assert (await client.get("/v1/organisations")).status_code == 200
    changed = await admin.patch(f"/v1/clients/{client.id}", {"state": "disabled"})
    assert changed.json()["state"] == "disabled"
    assert (await client.get("/v1/organisations")).status_code == 401
    assert (await client.login()).status_code == 401
    await admin.patch(f"/v1/clients/{client.id}", {"state": "active"})
    assert (await client.get("/v1/organisations")).status_code == 200


async def test_every_missing_or_bad_token_gets_the_same_answer(api: IdentityApi) -> None:
    headers: list[dict[str, str]] = [
        {},
        {"authorization": "Bearer"},
        {"authorization": "Bearer nonsense"},
        {"authorization": "Basic bm9ib2R5OnNlY3JldA=="},
    ]
    for path in ("/v1/organisations", "/v1/clients/nobody", "/v1/signing-keys"):
        answers = [await api.http.get(path, headers=each) for each in headers]
        assert {answer.status_code for answer in answers} == {401}
        assert len({answer.content for answer in answers}) == 1
        assert all(a.headers["www-authenticate"].startswith("Bearer") for a in answers)


async def test_another_process_knows_a_new_client_at_once(
    api: IdentityApi, database_url: str
) -> None:
    async with an_identity_api(database_url) as other:
        client = await api.actor("dukcapil", "publisher")
        assert other.directory.client(client.id) is None
        token = (await client.login()).json()["access_token"]
        answer = await other.http.get(
            "/v1/organisations", headers={"authorization": f"Bearer {token}"}
        )
        assert answer.status_code == 200


async def test_nothing_secret_is_logged_or_stored(api: IdentityApi, admin: Actor) -> None:
    with capture_logs() as logs:
        client = await api.actor("dukcapil", "publisher")
        await client.get("/v1/organisations")
        await Actor(api, client.id, "nbs_mistaken").login()
    stored = await api.query("SELECT digest FROM client_secrets")
    for secret in (client.secret, client.token, admin.secret, "nbs_mistaken"):
        assert secret not in repr(logs)
        assert secret.encode() not in b"".join(stored)
    assert {"client.created", "secret.created", "token.issued", "token.refused"} <= {
        entry["event"] for entry in logs
    }


async def test_every_attempt_to_get_a_token_is_logged(api: IdentityApi, admin: Actor) -> None:
    with capture_logs() as logs:
        good = basic(admin.id, admin.secret)
        assert (await ask(api, "grant_type=client_credentials", authorization=good))[0] == 200
        for id, secret in ((admin.id, "nbs_wrong"), ("nobody", "nbs_wrong")):
            wrong = basic(id, secret)
            assert (await ask(api, "grant_type=client_credentials", authorization=wrong))[0] == 401
        assert (await ask(api, "grant_type=password", authorization=good))[0] == 400
    found = [(each["event"], each.get("client"), each.get("error")) for each in logs]
    assert found == [
        ("token.issued", admin.id, None),
        ("token.refused", None, "invalid_client"),
        ("token.refused", None, "invalid_client"),
        ("token.refused", None, "unsupported_grant_type"),
    ]
    assert all(each["address"] for each in logs)

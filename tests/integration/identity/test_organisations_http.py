"""Organisations over HTTP."""

import pytest

from tests.integration.identity_api import Actor, IdentityApi, pieces


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


async def test_text_that_is_none_is_refused(api: IdentityApi, admin: Actor) -> None:
    await admin.get("/v1/organisations")
    headers = {"authorization": f"Bearer {admin.token}", "content-type": "application/json"}
    for title in (b'"a\\ud800b"', b'"\xff"'):
        body = b'{"name": "dukcapil", "title": %s}' % title
        answer = await api.http.post("/v1/organisations", content=body, headers=headers)
        assert 400 <= answer.status_code < 500, answer.text


@pytest.mark.parametrize("name", ["nobody", "%00", "%ED%A0%80", "a%2Fb", "x" * 500])
async def test_no_such_organisation(admin: Actor, name: str) -> None:
    assert (await admin.get(f"/v1/organisations/{name}")).status_code == 404
    assert (await admin.get(f"/v1/organisations/{name}/grants")).status_code == 404


async def test_everybody_inside_sees_the_organisations_in_pieces(
    api: IdentityApi, admin: Actor
) -> None:
    names = [f"org-{number}" for number in range(5)]
    for name in reversed(names):
        await admin.post("/v1/organisations", {"name": name, "title": name})
    reader = await api.actor("bps", "subscriber")
    assert await pieces(reader, "/v1/organisations", 3) == [
        ["bps", "nusabus", "org-0"],
        names[1:4],
        names[4:],
    ]
    assert await pieces(reader, "/v1/organisations", 7) == [["bps", "nusabus", *names]]


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "cursor=*", "cursor="])
async def test_bad_paging_is_refused(admin: Actor, query: str) -> None:
    assert (await admin.get(f"/v1/organisations?{query}")).status_code == 422


async def test_only_the_operators_administrator_makes_organisations(api: IdentityApi) -> None:
    body = {"name": "bmkg", "title": "BMKG"}
    for organisation, roles in (
        ("dukcapil", ("admin", "publisher", "subscriber", "auditor")),
        ("nusabus", ("publisher", "subscriber", "auditor")),
    ):
        actor = await api.actor(organisation, *roles)
        assert (await actor.post("/v1/organisations", body)).status_code == 403

"""Organisations over HTTP: who makes, sees, suspends and resumes them."""

import pytest
from structlog.testing import capture_logs

from tests.integration.identity_api import Actor, IdentityApi, pieces
from tests.problems import problem_of


async def test_an_organisation_is_made_once(admin: Actor) -> None:
    body = {"name": "dukcapil", "title": "Ditjen Dukcapil", "description": "Civil\nregistration"}
    made = await admin.post("/v1/organisations", body)
    assert made.status_code == 201
    assert made.headers["location"] == "/v1/organisations/dukcapil"
    shown = (await admin.get(made.headers["location"])).json()
    assert shown == made.json()
    assert shown.pop("created").endswith("Z")
    assert shown == {**body, "operator": False, "suspended": None, "suspension_reason": None}
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


# Suspension


SUSPEND, RESUME = "/v1/organisations/bps/suspend", "/v1/organisations/bps/resume"
REASON = {"reason": "Kredensial bocor."}


async def test_a_suspended_organisation_is_refused_until_it_is_resumed(
    api: IdentityApi, admin: Actor
) -> None:
    bps, other = await api.actor("bps", "publisher"), await api.actor("bmkg", "admin")
    assert (await bps.get("/v1/organisations/bps")).json()["suspended"] is None
    suspended = await admin.post(SUSPEND, REASON)
    assert suspended.status_code == 200
    assert suspended.json()["suspended"].endswith("Z")
    assert suspended.json()["suspension_reason"] == "Kredensial bocor."
    problem = problem_of(await bps.get("/v1/organisations"), 403, "organisation-suspended")
    assert "bps is suspended" in problem["detail"]
    assert "Kredensial bocor." in problem["detail"]
    refused = await bps.login()
    assert (refused.status_code, refused.json()["error"]) == (400, "unauthorized_client")
    assert "Kredensial bocor." in refused.json()["error_description"]
    assert (await other.get("/v1/organisations")).status_code == 200
    shown = (await other.get("/v1/organisations/bps")).json()
    assert shown["suspended"] is not None
    assert shown["suspension_reason"] is None

    resumed = await admin.post(RESUME)
    assert (resumed.json()["suspended"], resumed.json()["suspension_reason"]) == (None, None)
    assert (await bps.get("/v1/organisations")).status_code == 200
    assert (await bps.login()).status_code == 200


async def test_suspending_may_be_repeated_and_is_logged_once(
    api: IdentityApi, admin: Actor
) -> None:
    await api.actor("bps", "publisher")
    with capture_logs() as logs:
        assert (await admin.post(RESUME)).status_code == 200
        first = (await admin.post(SUSPEND, REASON)).json()
        second = (await admin.post(SUSPEND, {"reason": "Sedang diperiksa."})).json()
        assert (await admin.post(RESUME)).status_code == 200
        assert (await admin.post(RESUME)).status_code == 200
    assert second == first | {"suspension_reason": "Sedang diperiksa."}
    logged = [each for each in logs if each["event"].startswith("organisation.")]
    assert [(each["event"], each["by"]) for each in logged] == [
        ("organisation.suspended", admin.id),
        ("organisation.resumed", admin.id),
    ]
    assert "bocor" not in repr(logged)  # a reason may name a person


async def test_what_cannot_be_suspended(admin: Actor) -> None:
    itself = await admin.post("/v1/organisations/nusabus/suspend", REASON)
    problem_of(itself, 409, "conflict")
    problem_of(await admin.post("/v1/organisations/nobody/suspend", REASON), 404, "not-found")
    problem_of(await admin.post("/v1/organisations/nobody/resume"), 404, "not-found")
    for body in ({}, {"reason": ""}, {"reason": "a\nb"}, {"reason": "x" * 501}):
        assert (await admin.post(SUSPEND, body)).status_code == 422


async def test_a_wrong_secret_does_not_tell_why_an_organisation_is_suspended(
    api: IdentityApi, admin: Actor
) -> None:
    bps = await api.actor("bps", "publisher")
    await admin.post(SUSPEND, REASON)
    answer = await Actor(api, bps.id, "nbs_wrong").login()
    assert answer.json()["error"] == "invalid_client"
    assert "bocor" not in answer.text


async def test_only_the_operators_administrator_suspends(api: IdentityApi, admin: Actor) -> None:
    for organisation, roles in (
        ("bps", ("admin", "publisher", "subscriber", "auditor")),
        ("nusabus", ("publisher", "subscriber", "auditor")),
    ):
        actor = await api.actor(organisation, *roles)
        assert (await actor.post(SUSPEND, REASON)).status_code == 403
        assert (await actor.post(RESUME)).status_code == 403

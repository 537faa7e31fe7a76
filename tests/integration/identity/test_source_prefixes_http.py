"""Source prefixes over HTTP, and what the table itself refuses."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from gateway.base.database import Topic
from gateway.base.errors import Conflict, Forbidden, Invalid
from gateway.identity import provide_organisation
from tests.integration.identity_api import Actor, IdentityApi, pieces

DAPODIK = "https://dapodik.kemdikbud.go.id/"


def path(organisation: str, id: str = "") -> str:
    return f"/v1/organisations/{organisation}/sources" + (f"/{id}" if id else "")


def owns(api: IdentityApi, organisation: str, source: str) -> bool:
    try:
        api.directory.require_source(source, organisation)
    except Forbidden:
        return False
    return True


async def prefixes(actor: Actor, organisation: str) -> dict[str, Any]:
    items = (await actor.get(path(organisation))).json()["items"]
    return {item["prefix"]: item for item in items}


async def test_an_organisation_owns_the_sources_under_its_name(
    api: IdentityApi, admin: Actor
) -> None:
    bps = await api.actor("bps", "publisher")
    assert owns(api, "bps", "/bps")
    assert owns(api, "bps", "/bps/a/b?c#d")
    for other in ("/bpsx", "/dukcapil/ktp", "/bps/../dukcapil", "//bps/a", "bps/a", "urn:bps:a"):
        assert not owns(api, "bps", other)
    found = await prefixes(bps, "bps")
    assert list(found) == ["/bps/"]
    assert found["/bps/"]["assigned_by"] is None
    refused = await admin.delete(path("bps", found["/bps/"]["id"]))
    assert (refused.status_code, owns(api, "bps", "/bps")) == (409, True)


async def test_the_sources_of_the_gateway_belong_to_nobody(api: IdentityApi, admin: Actor) -> None:
    await admin.hire("nusabus", "publisher")
    assert not owns(api, "nusabus", "/nusabus/non-delivery")
    assert (await admin.get(path("nusabus"))).json()["items"] == []
    for taken in ("/nusabus", "/nusabus/x/", "/%6eusabus/./y"):
        answer = await admin.post(path("nusabus"), {"prefix": taken})
        assert answer.status_code == 409, taken
    assert (await admin.post(path("nusabus"), {"prefix": "https://nusabus.go.id"})).is_success
    assert owns(api, "nusabus", "https://nusabus.go.id/x")


async def test_the_operator_assigns_a_prefix_and_takes_it_back(
    api: IdentityApi, admin: Actor
) -> None:
    await api.actor("kemendikbud", "publisher")
    assert not owns(api, "kemendikbud", DAPODIK)
    body = {"prefix": "HTTPS://Dapodik.Kemdikbud.go.id:443/./"}
    made = await admin.post(path("kemendikbud"), body)
    assert made.status_code == 201
    assert made.json() == {
        "id": made.json()["id"],
        "organisation": "kemendikbud",
        "prefix": DAPODIK,
        "assigned_by": admin.id,
        "created": made.json()["created"],
    }
    assert owns(api, "kemendikbud", DAPODIK + "sekolah")
    assert (await prefixes(admin, "kemendikbud"))[DAPODIK] == made.json()
    other = made.headers["location"].replace("kemendikbud", "bps")
    assert (await admin.delete(other)).status_code == 404
    assert (await admin.delete(made.headers["location"])).status_code == 204
    assert (await admin.delete(made.headers["location"])).status_code == 404
    assert not owns(api, "kemendikbud", DAPODIK)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("https://a.id/", "https://A.id"),
        ("https://a.id/", "https://a.id:443/b"),
        ("https://a.id/b/c", "https://a.id/b"),
        ("urn:a:b", "URN:A:b:c"),
        ("/sensor", "/%73ensor/x"),
        ("/100%25/x", "/100%25"),
    ],
)
async def test_prefixes_of_two_organisations_never_overlap(
    api: IdentityApi, admin: Actor, first: str, second: str
) -> None:
    for organisation in ("korban", "jahat"):
        await api.actor(organisation, "publisher")
    made = await admin.post(path("korban"), {"prefix": first})
    assert made.status_code == 201
    refused = await admin.post(path("jahat"), {"prefix": second})
    assert refused.status_code == 409
    assert f"{made.json()['prefix']}, which belongs to korban" in refused.json()["detail"]
    assert list(await prefixes(admin, "jahat")) == ["/jahat/"]
    assert (await admin.delete(made.headers["location"])).status_code == 204
    again = await admin.post(path("jahat"), {"prefix": second})
    assert again.status_code == 201
    assert (await admin.delete(again.headers["location"])).status_code == 204


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("https://a.id/b", "https://a.id/bc"),
        ("https://a.id/", "https://a.id:8443/"),
        ("https://a.id/", "http://a.id/"),
        ("https://a.id/", "https://a.id.b.id/"),
        ("urn:a:b", "urn:a:bc"),
        ("/sensor", "/sensor-x"),
        ("/10_/x", "/101/x"),
    ],
)
async def test_neighbours_do_not_overlap(
    api: IdentityApi, admin: Actor, first: str, second: str
) -> None:
    for organisation in ("korban", "jahat"):
        await api.actor(organisation, "publisher")
    for organisation, prefix in (("korban", first), ("jahat", second)):
        made = await admin.post(path(organisation), {"prefix": prefix})
        assert made.status_code == 201, made.text
    assert owns(api, "korban", first)
    assert not owns(api, "jahat", first)
    assert owns(api, "jahat", second)
    assert not owns(api, "korban", second)
    await _withdraw_all(admin, "korban", "jahat")


async def test_a_wider_prefix_replaces_narrower_ones_of_its_organisation(
    api: IdentityApi, admin: Actor
) -> None:
    await api.actor("bmkg", "publisher")
    for narrow in ("https://b.id/a", "https://b.id/b/c"):
        assert (await admin.post(path("bmkg"), {"prefix": narrow})).status_code == 201
    assert (await admin.post(path("bmkg"), {"prefix": "https://b.id/a/x"})).status_code == 409
    assert (await admin.post(path("bmkg"), {"prefix": "/bmkg/x"})).status_code == 409
    assert (await admin.post(path("bmkg"), {"prefix": "https://b.id/"})).status_code == 201
    assert set(await prefixes(admin, "bmkg")) == {"/bmkg/", "https://b.id/"}


@pytest.mark.parametrize(
    "prefix",
    [
        "", "/", "//", "/.//x", "/a//b", "a", "./a", "../a", "https:", "https://", "https:/",
        "urn:", "urn::", "urn:a::b", "?q", "/a?q", "/a#f", "https://a.id/?q", "/é", "/a b", "/%zz",
        "x:a/../b", "*", "/\u0000", "/" + 255 * "a",
    ],
)  # fmt: skip
async def test_what_is_no_prefix(api: IdentityApi, admin: Actor, prefix: str) -> None:
    await api.actor("bps", "publisher")
    answer = await admin.post(path("bps"), {"prefix": prefix})
    assert answer.status_code == 422, answer.text
    assert answer.json()["pointer"] == "/prefix"


async def test_an_organisation_cannot_take_a_name_whose_sources_are_taken(
    api: IdentityApi, admin: Actor
) -> None:
    await api.actor("bps", "publisher")
    made = await admin.post(path("bps"), {"prefix": "/sensus/2030"})
    assert made.status_code == 201
    refused = await admin.post("/v1/organisations", {"name": "sensus", "title": "Sensus"})
    assert refused.status_code == 409
    assert "/sensus/2030/, which belongs to bps" in refused.json()["detail"]
    with pytest.raises(Conflict, match="which belongs to bps"):
        async with api.database.change(Topic.IDENTITY) as session:
            await provide_organisation(session, name="sensus", title="Sensus", description="")
    assert (await admin.get("/v1/organisations/sensus")).status_code == 404
    assert (await admin.delete(made.headers["location"])).status_code == 204
    created = await admin.post("/v1/organisations", {"name": "sensus", "title": "Sensus"})
    assert created.status_code == 201
    assert owns(api, "sensus", "/sensus/2030")


async def test_only_administrators_of_the_operator_assign(api: IdentityApi, admin: Actor) -> None:
    own = await api.actor("bps", "admin", "publisher", "subscriber", "auditor")
    other = await api.actor("bmkg", "admin", "auditor")
    auditor = await admin.hire("nusabus", "auditor")
    for actor in (own, other, auditor):
        assert (await actor.post(path("bps"), {"prefix": "https://c.id"})).status_code == 403
        assert (await actor.delete(path("bps", "bps"))).status_code == 403
    assert (await other.get(path("bps"))).status_code == 403
    for actor in (own, auditor, admin):
        assert (await actor.get(path("bps"))).status_code == 200
    for method, body in (("GET", None), ("POST", {"prefix": "https://c.id"})):
        assert (await admin.call(method, path("unknown"), body)).status_code == 404
    assert (await admin.delete(path("unknown", "x"))).status_code == 404


async def test_prefixes_are_listed_in_pieces(api: IdentityApi, admin: Actor) -> None:
    await api.actor("lkpp", "publisher")
    for number in range(3):
        body = {"prefix": f"https://lkpp{number}.id"}
        assert (await admin.post(path("lkpp"), body)).status_code == 201
    assert [len(piece) for piece in await pieces(admin, path("lkpp"), 3)] == [3, 1]


@pytest.mark.parametrize(
    "prefix", ["/dua/x/", "/dua/", "/nusabus/x/", "/nusabus/", "/satu/", "/x", "x é/"]
)
async def test_the_table_itself_refuses_what_overlaps(api: IdentityApi, prefix: str) -> None:
    for organisation in ("satu", "dua"):
        await api.actor(organisation, "publisher")
    insert = "INSERT INTO source_prefixes VALUES ('x', :prefix, 'satu', NULL, :now)"
    with pytest.raises((IntegrityError, Invalid)):  # Invalid where a check of the table refuses it
        await api.execute(insert, {"prefix": prefix, "now": datetime.now(UTC)})


async def _withdraw_all(admin: Actor, *organisations: str) -> None:
    for organisation in organisations:
        for each in (await prefixes(admin, organisation)).values():
            if each["assigned_by"] is not None:
                assert (await admin.delete(path(organisation, each["id"]))).status_code == 204

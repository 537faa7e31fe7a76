"""The first client of an installation."""

import pytest

from gateway import identity
from gateway.base.database import Topic
from gateway.base.errors import Conflict
from tests.integration.identity_api import (
    Actor,
    IdentityApi,
)

# The first client


async def test_bootstrap_makes_the_administrator_once(api: IdentityApi) -> None:
    id, secret = await identity.bootstrap(api.database, api.settings, reset=False)
    admin = Actor(api, id, secret.get_secret_value())
    assert id == "nusabus-admin"
    assert admin.secret.startswith("nbs_")
    assert admin.secret not in repr(secret)
    assert (await admin.get("/v1/clients")).json()["items"][0]["id"] == id
    with pytest.raises(Conflict):
        await identity.bootstrap(api.database, api.settings, reset=False)
    assert (await admin.login()).status_code == 200


async def test_a_reset_gives_the_administrator_its_rights_back(api: IdentityApi) -> None:
    old = await api.administrator()
    await api.execute("UPDATE clients SET state = 'disabled', roles = ARRAY['auditor']")
    id, secret = await identity.bootstrap(api.database, api.settings, reset=True)
    new = Actor(api, id, secret.get_secret_value())
    await api.refresh(Topic.IDENTITY)
    assert (await old.login()).status_code == 401
    assert (await new.get(f"/v1/clients/{id}")).json()["roles"] == ["admin", "auditor"]


async def test_the_operator_may_have_been_named_by_a_folder_of_contracts(api: IdentityApi) -> None:
    for title in ("Nusabus", "The bus"):
        async with api.database.change(Topic.IDENTITY) as session:
            await identity.provide_organisation(
                session, name="nusabus", title=title, description="Operates it"
            )
    admin = await api.administrator()
    await api.refresh(Topic.IDENTITY)
    made = await admin.post("/v1/organisations", {"name": "bps", "title": "BPS"})
    assert made.status_code == 201
    assert (await admin.get("/v1/organisations/nusabus")).json()["title"] == "The bus"
    assert (await admin.get("/v1/organisations/nusabus")).json()["operator"] is True

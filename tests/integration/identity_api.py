"""One gateway process as far as identity goes: real database, real routers, no network."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import httpx
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.types import Receive, Scope, Send

from gateway import identity
from gateway.base.database import Database, Topic
from gateway.base.settings import Settings
from gateway.base.snapshot import Snapshot, refresh
from gateway.http import (
    authorization_server,
    client_certificates,
    clients,
    error_handlers,
    grants,
    organisations,
    signing_keys,
    source_prefixes,
    tokens,
)
from gateway.http.admission import Admission
from gateway.http.app import Application
from gateway.http.context import PEER, ApiContext
from gateway.http.entrance import Entrance
from gateway.http.open_calls import OpenCalls
from gateway.identity import (
    ClientAuthenticator,
    Directory,
    DirectoryLoader,
    PeerCertificate,
    Tokens,
)
from gateway.quotas import Limiter
from tests.servers import as_owner

URL = "https://bus.example.go.id"


class Alone:
    """What `LoadedRevisions` is in a process that has no others beside it."""

    async def wait_for_others(self, topic: Topic, revision: int) -> None:
        """There is nobody to wait for."""


@dataclass
class IdentityApi:
    """What the identity routes need of an `ApiContext`, and a client that calls them."""

    settings: Settings
    database: Database
    snapshot: Snapshot[Directory]
    tokens: Tokens
    authenticator: ClientAuthenticator
    http: httpx.AsyncClient
    limiter: Limiter
    admission: Admission
    loaded: Alone = field(default_factory=Alone)
    admin: "Actor | None" = None
    peer: PeerCertificate | None = None
    """The certificate that the connection of every call shows from now on."""

    @property
    def directories(self) -> Snapshot[Directory]:
        """As `ApiContext` calls it."""
        return self.snapshot

    @property
    def directory(self) -> Directory:
        """As of the last load."""
        return self.snapshot.value

    async def refresh(self, topic: Topic) -> int:
        """Load again what has changed; the revision that is loaded then."""
        assert topic is Topic.IDENTITY
        await refresh(self.database, self.snapshot)
        return self.snapshot.revision

    async def execute(self, sql: str, values: Mapping[str, Any] | None = None) -> None:
        """Run a statement that no interface offers, as the owner, and load what it changed."""
        async with changed_as_owner(self.settings) as session:
            await session.execute(text(sql), values or {})
        await self.refresh(Topic.IDENTITY)

    async def query(self, sql: str) -> Sequence[Any]:
        """The first column of what a query finds."""
        async with self.database.session() as session:
            return (await session.execute(text(sql))).scalars().all()

    async def administrator(self) -> "Actor":
        """The operator's administrator, always the same."""
        if self.admin is None:
            id, secret = await identity.bootstrap(self.database, self.settings, reset=False)
            self.admin = Actor(self, id, secret.get_secret_value())
        return self.admin

    async def actor(self, organisation: str, *roles: str) -> "Actor":
        """A new client of an organisation, which is made as well where it is missing."""
        admin = await self.administrator()
        body = {"name": organisation, "title": organisation.title()}
        made = await admin.post("/v1/organisations", body)
        assert made.status_code in (201, 409), made.text
        return await admin.hire(organisation, *roles)


@dataclass
class Actor:
    """A client with a secret, and what it does."""

    api: IdentityApi
    id: str
    secret: str
    token: str = ""

    async def hire(self, organisation: str, *roles: str) -> "Actor":
        """Make a client with a secret, by this one's rights."""
        body = {"organisation": organisation, "title": "A client", "roles": roles}
        made = await self.post("/v1/clients", body)
        assert made.status_code == 201, made.text
        id = made.json()["id"]
        secret = await self.post(f"/v1/clients/{id}/secrets")
        return Actor(self.api, id, secret.json()["secret"])

    async def login(self) -> httpx.Response:
        """Ask for a token."""
        form = {"grant_type": "client_credentials"}
        return await self.api.http.post("/oauth/token", data=form, auth=(self.id, self.secret))

    async def call(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """Call with a token, which is fetched the first time."""
        self.token = self.token or (await self.login()).json()["access_token"]
        headers = {"Authorization": f"Bearer {self.token}"}
        return await self.api.http.request(method, path, json=body, headers=headers)

    async def get(self, path: str) -> httpx.Response:
        """GET."""
        return await self.call("GET", path)

    async def post(self, path: str, body: Any = None) -> httpx.Response:
        """POST."""
        return await self.call("POST", path, body)

    async def patch(self, path: str, body: Any) -> httpx.Response:
        """PATCH."""
        return await self.call("PATCH", path, body)

    async def delete(self, path: str) -> httpx.Response:
        """DELETE."""
        return await self.call("DELETE", path)


def settings_for(database_url: str, **more: str) -> Settings:
    """Settings for a test's database."""
    return Settings.parse(
        {
            "NUSABUS_DATABASE_URL": database_url,
            "NUSABUS_AMQP_URL": "amqp://unused",
            "NUSABUS_SECRET_KEY": "a secret key that is only for tests.",
            "NUSABUS_URL": URL,
            **more,
        }
    )


@asynccontextmanager
async def changed_as_owner(settings: Settings) -> AsyncIterator[AsyncSession]:
    """A change that the gateway's processes may not make, seen by all of them."""
    url = as_owner(settings.database_url.get_secret_value())
    database = await Database.open(url, connections=1, timeout=10)
    try:
        async with database.change(Topic.IDENTITY) as session:
            yield session
    finally:
        await database.close()


@asynccontextmanager
async def an_identity_api(
    database_url: str, *, empty: bool = False, **more: str
) -> AsyncIterator[IdentityApi]:
    """A process that has just started; with `empty` on a database where nobody takes part yet.

    Several of them share what the database holds.
    """
    settings = settings_for(database_url, **more)
    database = await Database.open(database_url, connections=1, timeout=10)
    snapshot = Snapshot(Topic.IDENTITY, DirectoryLoader())
    app = _application()

    async def connected(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, PEER: api.peer}, receive, send)

    transport = httpx.ASGITransport(connected)
    async with httpx.AsyncClient(transport=transport, base_url=URL) as http:
        api = IdentityApi(
            settings,
            database,
            snapshot,
            Tokens(settings, lambda: snapshot.value),
            ClientAuthenticator(database, settings, snapshot),
            http,
            Limiter(snapshot),
            Admission(settings.requests_in_progress),
        )
        app.state.context = api
        app.open_calls = OpenCalls(cast(ApiContext, api))
        app.entrance = Entrance(cast(ApiContext, api), ())
        try:
            if empty:
                await _clear(settings)
            await identity.maintain_signing_keys(database, settings)
            await refresh(database, snapshot)
            yield api
        finally:
            await database.close()


def _application() -> Application:
    app = Application()
    error_handlers.install(app)
    for module in (
        tokens, authorization_server, organisations, grants, source_prefixes, clients,
        client_certificates, signing_keys,
    ):  # fmt: skip
        app.include_router(module.router)
    return app


async def _clear(settings: Settings) -> None:
    """Delete everything: of few rows that is many times faster than TRUNCATE."""
    async with changed_as_owner(settings) as session:
        await session.execute(text("DELETE FROM source_prefixes WHERE organisation IS NOT NULL"))
        for table in (
            "client_certificates",
            "client_secrets",
            "grants",
            "clients",
            "organisations",
            "signing_keys",
        ):
            await session.execute(text(f"DELETE FROM {table}"))


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

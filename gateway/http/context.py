"""What every route works with: the context of the process, and the client that calls."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, Protocol, cast

from fastapi import Depends, Request, Security
from fastapi.openapi.models import OAuthFlowClientCredentials, OAuthFlows
from fastapi.security import HTTPBearer, OAuth2

from gateway.base.database import Database, Topic
from gateway.base.errors import Malformed, Unavailable
from gateway.base.loaded_revisions import LoadedRevisions
from gateway.base.settings import Settings
from gateway.base.snapshot import Snapshot, refresh
from gateway.contracts import Catalogue, ValidationPool
from gateway.contracts.governance import ContractRegistration, VersionLifecycle
from gateway.delivery import (
    ConsumerReports,
    DeliveryLedger,
    DeliveryTester,
    PullDelivery,
    Redriver,
    Resender,
    StreamDelivery,
)
from gateway.delivery.store import DeadLetters, Redrives
from gateway.delivery.webhook import Endpoints
from gateway.http.admission import Admission
from gateway.identity import (
    Client,
    ClientAuthenticator,
    Credential,
    Directory,
    PeerCertificate,
    Quota,
    Role,
    Tokens,
    not_authenticated,
    policy,
    require_binding,
)
from gateway.journal import JournalReader, Refusals, RetentionReport
from gateway.publishing import EventPublisher
from gateway.quotas import Call, Limiter, QuotaSharing
from gateway.request_reply import Requester, Responder
from gateway.subscriptions import Subscriptions
from gateway.subscriptions.lifecycle import SubscriptionLifecycle

CLIENT = "nusabus.client"  # in the ASGI scope: who sends the request; no public route has it
PLACE = "nusabus.place"  # in the ASGI scope: what the request has taken of the process
PEER = "nusabus.peer"  # in the ASGI scope: the certificate that its connection shows, if any
CALL = "nusabus.call"  # in the ASGI scope: its place among those that the quotas allow
BEARER = HTTPBearer(
    auto_error=False,
    scheme_name="bearer",
    description="An access token from `POST /oauth/token`.",
)
CLIENT_CREDENTIALS = OAuth2(
    auto_error=False,
    scheme_name="clientCredentials",
    description="OAuth 2.0 client credentials (RFC 6749, section 4.4). There are no scopes: a "
    "client has roles.",
    flows=OAuthFlows(
        clientCredentials=OAuthFlowClientCredentials(tokenUrl="/oauth/token", scopes={})
    ),
)


@dataclass(frozen=True, slots=True)
class ApiContext:
    """The parts of an api process, put together once."""

    settings: Settings
    admission: Admission
    database: Database
    tokens: Tokens
    authenticator: ClientAuthenticator
    reader: JournalReader
    refusals: Refusals
    retention: RetentionReport
    publisher: EventPublisher
    workers: ValidationPool
    subscription_lifecycle: SubscriptionLifecycle
    endpoints: Endpoints
    registration: ContractRegistration
    lifecycle: VersionLifecycle
    pull: PullDelivery
    stream: StreamDelivery
    requester: Requester
    responder: Responder
    dead_letters: DeadLetters
    redriver: Redriver
    resender: Resender
    redrives: Redrives
    ledger: DeliveryLedger
    consumer_reports: ConsumerReports
    delivery_tester: DeliveryTester
    directories: Snapshot[Directory]
    catalogues: Snapshot[Catalogue]
    subscriptions: Snapshot[Subscriptions]
    loaded: LoadedRevisions
    quota_sharing: QuotaSharing

    @property
    def directory(self) -> Directory:
        """Organisations, clients and grants, as of the last load."""
        return self.directories.value

    @property
    def catalogue(self) -> Catalogue:
        """The contracts, as of the last load."""
        return self.catalogues.value

    @property
    def limiter(self) -> Limiter:
        """The quotas, as this process holds them."""
        return self.quota_sharing.limiter

    async def require_ready(self) -> None:
        """Raises Unavailable unless events can be accepted."""
        self.publisher.require_capacity()
        self.publisher.require_writable()
        await self.reader.require_writable()

    async def refresh(self, topic: Topic) -> int:
        """Bring the snapshot of a topic up to date now; the revision that it has then."""
        of: dict[Topic, Snapshot[Any]] = {
            Topic.IDENTITY: self.directories,
            Topic.CONTRACTS: self.catalogues,
            Topic.SUBSCRIPTIONS: self.subscriptions,
        }
        await refresh(self.database, of[topic])
        return of[topic].revision


def context(request: Request) -> ApiContext:
    """The context of the running application."""
    return cast(ApiContext, request.app.state.context)


Context = Annotated[ApiContext, Depends(context)]


async def took_effect(context: ApiContext, topic: Topic) -> None:
    """After a committed change of a topic: return once every api process has loaded it.

    The change is made whether or not this works, so a failure is left to the next regular load.
    """
    with suppress(Unavailable):
        await context.loaded.wait_for_others(topic, await context.refresh(topic))


class Authenticating(Protocol):
    """What a door needs to know who calls."""

    @property
    def tokens(self) -> Tokens:
        """The access tokens."""

    @property
    def directory(self) -> Directory:
        """The clients, as of the last load."""

    async def refresh(self, topic: Topic) -> int:
        """Bring the snapshot of a topic up to date now."""


async def authenticate(
    context: Authenticating, authorization: str | None, peer: PeerCertificate | None
) -> Client:
    """The client that sends this `Authorization` header on a connection with this certificate.

    Raises NotAuthenticated, with one text for every reason, BoundElsewhere, OrganisationSuspended.
    A client or secret that another process has just made is not in our directory yet. Its token is
    signed by us and young, so nobody can make us load for nothing.
    """
    token = context.tokens.verify(bearer(authorization))
    require_binding(token, peer)
    client = context.directory.caller(token.client, token.credential)
    if client is None and context.tokens.is_new(token):
        await context.refresh(Topic.IDENTITY)
        client = context.directory.caller(token.client, token.credential)
    if client is None:
        raise not_authenticated()
    return client


def authorization(headers: Sequence[tuple[bytes, bytes]]) -> str | None:
    """The value of the one `Authorization` header."""
    found = [value for name, value in headers if name == b"authorization"]
    return found[0].decode("latin-1") if len(found) == 1 else None


def require_one_authorization(headers: Sequence[tuple[bytes, bytes]]) -> None:
    """Raises Malformed for two `Authorization` headers: a proxy may have checked the other one."""
    if [name for name, _ in headers].count(b"authorization") > 1:
        raise Malformed(
            "The request has several Authorization headers. Send one.", parameter="Authorization"
        )


def bearer(authorization: str | None) -> str:
    """The token in an `Authorization` header (RFC 6750, section 2.1)."""
    scheme, _, token = (authorization or "").partition(" ")
    if scheme.lower() != "bearer":
        raise not_authenticated()
    return token.strip(" ")


async def authenticated(
    request: Request,
    _bearer: Annotated[object, Security(BEARER)],
    _client_credentials: Annotated[object, Security(CLIENT_CREDENTIALS)],
) -> Client:
    """A dependency: the client that sent the request. The application has authenticated it."""
    return cast(Client, request.scope[CLIENT])


AuthenticatedClient = Annotated[Client, Depends(authenticated)]


def credential_of(request: Request) -> Credential:
    """The client that sends a request, and the secret or certificate by which it got its token."""
    token = context(request).tokens.verify(bearer(authorization(request.headers.raw)))
    return Credential(token.client, token.credential)


def become(request: Request, quota: Quota) -> None:
    """Count this request as something that lasts. Raises QuotaExceeded."""
    cast(Call, request.scope[CALL]).become(quota)


async def check_contract(client: AuthenticatedClient, context: Context) -> None:
    """A dependency: counts a costly check of a contract. Raises QuotaExceeded."""
    gate = context.limiter.gate(client)
    gate.require(Quota.CHECKS)
    gate.spend(Quota.CHECKS)


CHECKED = Depends(check_contract)


def require_role(*roles: Role) -> Callable[[Client], Awaitable[Client]]:
    """A dependency: the client, with at least one of these roles. Raises Forbidden."""

    async def holder(client: AuthenticatedClient) -> Client:
        client.require(*roles)
        return client

    return holder


Admin = Annotated[Client, Depends(require_role(Role.ADMIN))]
AdminOrAuditor = Annotated[Client, Depends(require_role(*policy.CLIENT_READERS))]


async def operator_admin(client: Admin) -> Client:
    """A dependency: the client, an administrator of the operator. Raises Forbidden."""
    policy.require_operator(client, Role.ADMIN)
    return client


OperatorAdmin = Annotated[Client, Depends(operator_admin)]

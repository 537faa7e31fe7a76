"""What the calls of one process share: its context, who calls, and how much is in progress."""

import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from gateway.base.database import Database, Topic
from gateway.base.errors import Overloaded, ShareExceeded
from gateway.base.fair_limit import FairLimit
from gateway.base.settings import Settings
from gateway.base.snapshot import Snapshot, refresh
from gateway.base.stop import Stop
from gateway.contracts import Catalogue
from gateway.delivery import PullDelivery, StreamDelivery, Wakeups
from gateway.http.context import authenticate, bearer, require_one_authorization
from gateway.identity import Client, Directory, PeerCertificate, Quota, Tokens, not_authenticated
from gateway.journal import Checkpoints, Refusals
from gateway.publishing import EventPublisher, Limits
from gateway.quotas import Call, Limiter
from gateway.request_reply import Requester, Responder

Metadata = Sequence[tuple[str, str | bytes]]


@dataclass(frozen=True)
class GrpcContext:
    """The parts of a grpc process, put together once."""

    settings: Settings
    database: Database
    tokens: Tokens
    directories: Snapshot[Directory]
    catalogues: Snapshot[Catalogue]
    publisher: EventPublisher
    refusals: Refusals
    checkpoints: Checkpoints
    limiter: Limiter
    pull: PullDelivery
    stream: StreamDelivery
    wakeups: Wakeups
    requester: Requester
    responder: Responder
    stop: Stop
    calls: FairLimit
    """Calls in progress, shared by organisations."""
    limits: Limits

    @property
    def directory(self) -> Directory:
        """Organisations, clients and grants, as of the last load."""
        return self.directories.value

    async def refresh(self, topic: Topic) -> int:
        """Bring the snapshot of the directory up to date now; the revision that it has then."""
        snapshots: dict[Topic, Snapshot[Any]] = {Topic.IDENTITY: self.directories}
        await refresh(self.database, snapshots[topic])
        return snapshots[topic].revision

    @contextmanager
    def admitted(self, client: Client, quota: Quota) -> Iterator[Call]:
        """In here a call of a client is in progress, counted by this quota.

        Raises QuotaExceeded, ShareExceeded or Overloaded.
        """
        organisation = client.organisation
        if not self.calls.take(organisation, 1):
            if self.calls.exceeds_share(organisation, 1):
                raise ShareExceeded(
                    "Your organisation has more calls in progress than its share. Call again "
                    "later, and send more events in each stream."
                )
            raise Overloaded("The gateway has too many calls in progress. Call again later.")
        try:
            call = Call(self.limiter.gate(client))
            try:
                if quota is not Quota.IN_FLIGHT:
                    call.become(quota)
                yield call
            finally:
                call.end()
        finally:
            self.calls.give_back(organisation, 1)


class Caller:
    """Who calls, by the token that was sent last."""

    def __init__(
        self, context: GrpcContext, metadata: Metadata, peer: PeerCertificate | None
    ) -> None:
        """Raises Malformed for two `authorization` entries."""
        headers = [(name.encode(), _bytes(value)) for name, value in metadata]
        require_one_authorization(headers)
        found = [value for name, value in headers if name == b"authorization"]
        self._authorization = found[0].decode("latin-1") if found else None
        self._context, self._peer = context, peer

    async def client(self) -> Client:
        """The client, with its present rights.

        Raises NotAuthenticated, BoundElsewhere or OrganisationSuspended.
        """
        return await authenticate(self._context, self._authorization, self._peer)

    @property
    def expires(self) -> int:
        """When the token expires, in seconds since 1970. Raises NotAuthenticated."""
        return self._context.tokens.verify(bearer(self._authorization)).expires

    async def renew(self, token: str, client: Client) -> None:
        """Go on with another token. Raises NotAuthenticated unless it is one of the same client."""
        renewed = Caller(self._context, [("authorization", f"Bearer {token}")], self._peer)
        if (await renewed.client()).id != client.id:
            raise not_authenticated()
        self._authorization = renewed._authorization


def peer_certificate(pem: Sequence[bytes]) -> PeerCertificate | None:
    """The certificate that the connection shows, as gRPC gives it."""
    return PeerCertificate(ssl.PEM_cert_to_DER_cert(pem[0].decode())) if pem else None


def _bytes(value: str | bytes) -> bytes:
    return value.encode("latin-1", "replace") if isinstance(value, str) else value

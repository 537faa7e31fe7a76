"""One call of an endpoint, and what its answer means."""

import asyncio
import ssl
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus

import httpcore

from gateway.delivery.webhook.addresses import AddressPolicy, AddressProhibited, EndpointUrl
from gateway.delivery.webhook.guarded_network import CONNECT, GuardedBackend, Resolve, resolve
from gateway.delivery.webhook.retry_schedule import retry_after
from gateway.delivery.webhook.signatures import Sign, headers

BODY = 16 << 10  # bytes of an answer that are read, so that its connection may be used again
DRAIN = 1.0  # seconds for them
IDLE = 30.0  # seconds that an unused connection is kept
_AGENT = ("user-agent", "Nusabus-Webhooks/1")
# The event itself can never be processed: an unchanged repeat has the same fate.
_NEVER = {HTTPStatus.UNSUPPORTED_MEDIA_TYPE, HTTPStatus.UNPROCESSABLE_ENTITY}


@dataclass(frozen=True, slots=True)
class Delivered:
    """The endpoint took it."""

    detail: str


@dataclass(frozen=True, slots=True)
class RetryLater:
    """It may take it later. `status` is None where nothing was answered."""

    detail: str
    status: int | None = None
    after: float | None = None  # seconds that the endpoint asked for


@dataclass(frozen=True, slots=True)
class Rejected:
    """It will never take this event."""

    detail: str


@dataclass(frozen=True, slots=True)
class EndpointGone:
    """It wants no further events (410)."""

    detail: str


AttemptResult = Delivered | RetryLater | Rejected | EndpointGone


@dataclass(frozen=True, slots=True)
class EndpointResponse:
    """What came back: the status, and header fields by lower-case name."""

    status: int
    headers: dict[str, str]


class NoResponse(Exception):
    """The endpoint was not reached, or did not answer in time; the text says which."""


class WebhookSender:
    """Calls one endpoint, over connections of its own."""

    def __init__(
        self,
        target: EndpointUrl,
        policy: AddressPolicy,
        trusted: ssl.SSLContext,
        *,
        origin: str,
        timeout: float,
        resolve: Resolve = resolve,
    ) -> None:
        self.target = target
        self.origin = origin
        self._timeout = timeout
        self._trusted = trusted
        self._backend = GuardedBackend(policy, secure=target.secure, resolve=resolve)
        self._idle: list[httpcore.AsyncHTTPConnection] = []
        self._url = httpcore.URL(
            scheme=b"https" if target.secure else b"http",
            host=target.host.encode("ascii"),
            port=target.port,
            target=target.path.encode("ascii"),
        )

    async def close(self) -> None:
        """Close every connection."""
        while self._idle:
            await self._idle.pop().aclose()

    async def deliver(
        self, id: str, body: bytes, sign: Sequence[Sign], *, content_type: str
    ) -> AttemptResult:
        """POST one event."""
        proof = headers(id, int(time.time()), body, sign)
        try:
            answer = await self.call("POST", [("content-type", content_type), *proof], body)
        except NoResponse as failure:
            return RetryLater(str(failure))
        return judge(answer)

    async def call(
        self, method: str, fields: Sequence[tuple[str, str]], body: bytes = b""
    ) -> EndpointResponse:
        """One request. Redirects are not followed. Raises NoAnswer."""
        try:
            async with asyncio.timeout(self._timeout):
                return await self._call(method, fields, body)
        except TimeoutError:
            raise NoResponse(f"no answer within {self._timeout:g} s") from None
        except AddressProhibited as refusal:
            raise NoResponse(f"not called: {refusal}") from None
        except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
            raise NoResponse(_why_not_connected(error)) from None
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError):
            raise NoResponse("the connection broke, or the answer was not HTTP") from None

    async def _call(
        self, method: str, fields: Sequence[tuple[str, str]], body: bytes
    ) -> EndpointResponse:
        sent = [
            ("host", self.target.authority),
            _AGENT,
            ("webhook-request-origin", self.origin),
            *fields,
            ("content-length", str(len(body))),
        ]
        request = httpcore.Request(
            method,
            self._url,
            headers=[(name.encode(), value.encode()) for name, value in sent],
            content=body,
            extensions={"timeout": {"connect": CONNECT}},
        )
        connection = await self._connection()
        try:
            response = await connection.handle_async_request(request)
            try:
                with suppress(TimeoutError, httpcore.NetworkError, httpcore.ProtocolError):
                    async with asyncio.timeout(DRAIN):
                        await _drain(response)
            finally:
                await response.aclose()
        finally:
            if connection.is_available():
                self._idle.append(connection)
            else:
                await connection.aclose()
        return EndpointResponse(
            response.status,
            {
                name.decode("latin-1").lower(): value.decode("latin-1")
                for name, value in response.headers
            },
        )

    async def _connection(self) -> httpcore.AsyncHTTPConnection:
        """One that was used before and still stands, or a new one.

        Not httpcore's pool: it looks at all its connections for every request, and who calls
        bounds their number anyway. Measured: a third of the CPU time of a delivery.
        """
        while self._idle:
            connection = self._idle.pop()
            if not connection.has_expired():
                return connection
            await connection.aclose()
        return httpcore.AsyncHTTPConnection(
            self._url.origin,
            ssl_context=self._trusted,
            keepalive_expiry=IDLE,
            network_backend=self._backend,
        )


def judge(answer: EndpointResponse) -> AttemptResult:
    """What an answer to a delivery means."""
    detail = status_line(answer.status)
    if 200 <= answer.status < 300:
        return Delivered(detail)
    if answer.status == HTTPStatus.GONE:
        return EndpointGone(detail)
    if answer.status in _NEVER:
        return Rejected(detail)
    if 300 <= answer.status < 400:
        return RetryLater(f"{detail}: redirects are not followed", answer.status)
    return RetryLater(detail, answer.status, retry_after(answer.headers.get("retry-after")))


def status_line(status: int) -> str:
    """A status with the phrase of the registry: of the receiver's own words nothing is kept."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


async def _drain(response: httpcore.Response) -> None:
    """Read a short body; a longer one costs the endpoint its connection."""
    size = 0
    async for chunk in response.aiter_stream():
        size += len(chunk)
        if size > BODY:
            return


def _why_not_connected(error: Exception) -> str:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"its certificate is not trusted: {cause.verify_message}"
        if isinstance(cause, ssl.SSLError):
            return "no TLS connection could be made"
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpcore.ConnectTimeout):
        return f"no connection within {CONNECT:g} s"
    named = "the name cannot be resolved"
    return named if named in str(error) else "no connection could be made"

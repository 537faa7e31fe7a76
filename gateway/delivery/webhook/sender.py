"""Calls an endpoint and classifies its response."""

import asyncio
import ssl
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus

import httpcore

from gateway.base.defects import kind_of, report_defect
from gateway.base.http_status import phrase
from gateway.base.tls import Followed
from gateway.contracts import Failure
from gateway.delivery.webhook.addresses import AddressPolicy, AddressProhibited, EndpointUrl
from gateway.delivery.webhook.guarded_network import (
    CONNECT,
    RESPONSE_BYTES,
    RESPONSE_LINES,
    GuardedBackend,
    ResponseTooLarge,
)
from gateway.delivery.webhook.resolver import Resolve
from gateway.delivery.webhook.retry_schedule import retry_after
from gateway.delivery.webhook.signatures import Sign, headers

BODY = 16 << 10  # bytes of a response that are read, so that its connection can be reused
DRAIN = 1.0  # seconds for reading them
IDLE = 30.0  # seconds for which an unused connection is kept
_REFUSED = "it requires a client certificate, and does not accept that of the bus"
_AGENT = ("user-agent", "Nusabus-Webhooks/1")
# The endpoint can never process the event: repeating it unchanged would not help.
_REJECTED = {HTTPStatus.UNSUPPORTED_MEDIA_TYPE, HTTPStatus.UNPROCESSABLE_ENTITY}


@dataclass(frozen=True, slots=True)
class Delivered:
    """The endpoint accepted the event."""

    detail: str


@dataclass(frozen=True, slots=True)
class RetryLater:
    """The endpoint may accept the event later. `status` is None where there was no response."""

    detail: str
    status: int | None = None
    after: float | None = None  # seconds that the endpoint requested
    defect: bool = False  # the gateway failed, whatever the endpoint did

    @property
    def failure(self) -> Failure:
        """The kind of failure."""
        if self.defect:
            return Failure.DEFECT
        return Failure.UNREACHABLE if self.status is None else Failure.REFUSED


@dataclass(frozen=True, slots=True)
class Rejected:
    """The endpoint will never accept this event."""

    detail: str


@dataclass(frozen=True, slots=True)
class EndpointGone:
    """The endpoint wants no further events (410)."""

    detail: str


AttemptResult = Delivered | RetryLater | Rejected | EndpointGone


@dataclass(frozen=True, slots=True)
class EndpointResponse:
    """The status of a response, and its header fields by lower-case name."""

    status: int
    headers: dict[str, str]


class NoResponse(Exception):
    """The endpoint was not reached or did not respond in time; the text says which."""


class WebhookSender:
    """Calls one endpoint, over its own connections."""

    def __init__(
        self,
        target: EndpointUrl,
        policy: AddressPolicy,
        tls: Followed[ssl.SSLContext],
        *,
        origin: str,
        timeout: float,
        resolve: Resolve,
    ) -> None:
        self.target = target
        self.origin = origin
        self._timeout = timeout
        self._tls = tls
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
        """Send one event. Whatever the endpoint sends back, this returns."""
        try:
            proof = headers(id, int(time.time()), body, sign)
            fields = [("content-type", content_type), *proof]
            return classify(await self.call("POST", fields, body))
        except NoResponse as failure:
            return RetryLater(str(failure))
        except Exception as error:
            return RetryLater(defect_detail("webhooks.call", error), defect=True)

    async def call(
        self, method: str, fields: Sequence[tuple[str, str]], body: bytes = b""
    ) -> EndpointResponse:
        """One request. Redirects are not followed. Raises NoResponse."""
        try:
            async with asyncio.timeout(self._timeout):
                return await self._call(method, fields, body)
        except TimeoutError:
            raise NoResponse(f"no response within {self._timeout:g} s") from None
        except AddressProhibited as refusal:
            raise NoResponse(f"not called: {refusal}") from None
        except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
            raise NoResponse(_why_not_connected(error)) from None
        except ResponseTooLarge:
            raise NoResponse(
                f"the response has more than {RESPONSE_BYTES} bytes or {RESPONSE_LINES} lines of "
                "headers"
            ) from None
        except (
            httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError,
        ) as error:  # fmt: skip
            raise NoResponse(_why_lost(error)) from None

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
            if connection.is_available() and not _has_rest(connection):
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
        """An idle connection that is still open, or a new one.

        Not httpcore's pool, which examines all its connections for every request: the dispatcher
        limits their number anyway. Measured: a third of the CPU time of a delivery.
        """
        while self._idle:
            connection = self._idle.pop()
            if not connection.has_expired():
                return connection
            await connection.aclose()
        return httpcore.AsyncHTTPConnection(
            self._url.origin,
            ssl_context=self._tls.current(),
            keepalive_expiry=IDLE,
            network_backend=self._backend,
        )


def defect_detail(work: str, error: Exception) -> str:
    """Report a defect of the gateway; the text for the owner of the endpoint."""
    report_defect(work, error)
    return f"the gateway failed on this call ({kind_of(error)}), which was logged"


def classify(response: EndpointResponse) -> AttemptResult:
    """The result that a response to a delivery means."""
    detail = status_line(response.status)
    if 200 <= response.status < 300:
        return Delivered(detail)
    if response.status == HTTPStatus.GONE:
        return EndpointGone(detail)
    if response.status in _REJECTED:
        return Rejected(detail)
    if 300 <= response.status < 400:
        return RetryLater(f"{detail}: redirects are not followed", response.status)
    return RetryLater(detail, response.status, retry_after(response.headers.get("retry-after")))


def status_line(status: int) -> str:
    """A status with its registered phrase; nothing of the response's own text is kept."""
    try:
        return f"{status} {phrase(status)}"
    except ValueError:
        return str(status)


async def _drain(response: httpcore.Response) -> None:
    """Read a short body. After a longer one the connection is not reused."""
    size = 0
    async for chunk in response.aiter_stream():
        size += len(chunk)
        if size > BODY:
            return


def _has_rest(connection: httpcore.AsyncHTTPConnection) -> bool:
    """Whether bytes followed the response, such as a body after 204.

    The next response must not begin with them. httpcore does not tell; its parser does.
    """
    parser = getattr(connection._connection, "_h11_state", None)
    return parser is not None and parser.trailing_data[0] != b""


def _why_not_connected(error: Exception) -> str:
    found = _tls_error(error)
    if isinstance(found, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {found.verify_message}"
    if found is not None:
        return _REFUSED if _refuses_ours(found) else "the TLS handshake failed"
    if isinstance(error, httpcore.ConnectTimeout):
        return f"no connection within {CONNECT:g} s"
    named = "the name cannot be resolved"
    return named if named in str(error) else "the connection failed"


def _why_lost(error: Exception) -> str:
    """With TLS 1.3 an endpoint refuses our certificate after the handshake."""
    found = _tls_error(error)
    if found is not None and _refuses_ours(found):
        return _REFUSED
    return "the connection was lost, or the response was not HTTP"


def _tls_error(error: Exception) -> ssl.SSLError | None:
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__ or cause.__context__
    return cause


def _refuses_ours(error: ssl.SSLError) -> bool:
    """Whether it is an alert about a certificate, such as certificate_required (RFC 8446, 6.2)."""
    alert = error.reason or ""
    return "ALERT" in alert and ("CERTIFICATE" in alert or "UNKNOWN_CA" in alert)

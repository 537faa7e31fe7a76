"""Connects to endpoints: resolves the name, checks every address, connects to a checked one only.

The name is resolved only here, and the connection goes to the address that was checked, so a name
that changes between two look-ups gains nothing. The certificate is still verified for the name.
"""

import asyncio
import ssl
from collections.abc import Iterable
from typing import Any

import httpcore
import httpx
from prometheus_client import Gauge

from gateway.base.settings import Settings
from gateway.base.telemetry import METRICS
from gateway.base.tls import Followed, TlsFiles, add_files, expires
from gateway.delivery.webhook.addresses import Address, AddressPolicy, AddressProhibited, literal
from gateway.delivery.webhook.resolver import Resolve

CONNECT = 5.0  # seconds, to each address
RESPONSE_BYTES = 32 << 10  # of headers and body together; more of a body is not read
RESPONSE_LINES = 512
EXPIRES = Gauge(
    "nusabus_webhook_certificate_expires",
    "When the certificate that is shown to endpoints expires, in seconds since 1970",
    registry=METRICS,
)
_PIECE = 2 << 10  # bytes that are parsed together: a longer piece could hold too many lines


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Connects only where the policy permits. Each endpoint has its own."""

    def __init__(self, policy: AddressPolicy, *, secure: bool, resolve: Resolve) -> None:
        self._policy = policy
        self._secure = secure
        self._resolve = resolve
        self._lookup = asyncio.Lock()  # one look-up at a time for each endpoint
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection to a checked address of this host.

        Raises AddressProhibited if any of its addresses is prohibited: a mixed answer is no
        accident. Raises httpcore.ConnectError where the name cannot be resolved.
        """
        failure: Exception | None = None
        for address in await self._checked_addresses(host, port):
            try:
                return BoundedStream(
                    await self._backend.connect_tcp(
                        str(address), port, timeout=CONNECT, socket_options=socket_options
                    )
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore.ConnectError("the name has no address")

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.AsyncNetworkStream:
        """Raises AddressProhibited: an endpoint is on the network."""
        raise AddressProhibited("its address must not be called")

    async def sleep(self, seconds: float) -> None:
        """Sleep."""
        await asyncio.sleep(seconds)

    async def _checked_addresses(self, host: str, port: int) -> list[Address]:
        address = literal(host)
        if address is not None:
            addresses = [address]
        else:
            async with self._lookup:
                try:
                    addresses = await self._resolve(host)
                except (OSError, UnicodeError) as error:
                    raise httpcore.ConnectError("the name cannot be resolved") from error
        for each in addresses:
            self._policy.check_address(each, port=port, secure=self._secure)
        return addresses


class ResponseTooLarge(httpcore.ReadError):
    """More bytes or lines than a response may have."""


class BoundedStream(httpcore.AsyncNetworkStream):
    """A connection of which each response is bounded: in bytes, and in lines.

    All endpoints share one event loop, and parsing costs it as much for a header or a chunk as for
    a response: 64 KiB of interim responses or of chunks of one byte held it for a third of a
    second. Whatever is sent next begins a new response.
    """

    def __init__(self, stream: httpcore.AsyncNetworkStream) -> None:
        self._stream = stream
        self._bytes, self._lines = RESPONSE_BYTES, RESPONSE_LINES

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """The next bytes, a few. Raises ResponseTooLarge."""
        if self._bytes <= 0 or self._lines <= 0:
            raise ResponseTooLarge
        data = await self._stream.read(min(max_bytes, _PIECE), timeout)
        self._bytes -= len(data)
        self._lines -= data.count(b"\n")
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send bytes of a request."""
        self._bytes, self._lines = RESPONSE_BYTES, RESPONSE_LINES
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        """Close it."""
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """The same connection with TLS."""
        return BoundedStream(await self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:
        """What httpcore asks about a connection: whether it is readable, and its TLS."""
        try:
            return self._stream.get_extra_info(info)
        except Exception:  # anyio fails in its own ways on a socket that was reset meanwhile
            return info == "is_readable" or None  # so reading it tells that it is lost


def webhook_tls(settings: Settings) -> Followed[ssl.SSLContext]:
    """TLS that trusts the public authorities and the operator's, and shows the bus's certificate.

    Raises UnusableFiles.
    """
    files = TlsFiles(
        settings.webhook_certificate_file, settings.webhook_key_file, settings.webhook_ca_file
    )
    return Followed(files, _context)


def _context(files: TlsFiles) -> ssl.SSLContext:
    context = httpx.create_ssl_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    add_files(context, files)
    if files.certificate is not None:
        EXPIRES.set(expires(files.certificate))
    return context

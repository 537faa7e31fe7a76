"""TLS from files (PEM), followed: a certificate is replaced by replacing its files."""

import os
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from cryptography import x509
from prometheus_client import Gauge

from gateway.base.errors import NusabusError
from gateway.base.settings import PREFIX, Settings
from gateway.base.telemetry import METRICS, log

T = TypeVar("T")
LOOK = 1.0  # seconds between two looks at the files
# TLS 1.2 with forward secrecy and authenticated encryption alone; those of 1.3 all have both.
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"

EXPIRES = Gauge(
    "nusabus_tls_certificate_expires",
    "When the certificate that this process shows expires, in seconds since 1970",
    registry=METRICS,
)


class UnusableFiles(NusabusError):
    """A certificate, a key or a file of authorities is missing, malformed or not a pair."""

    code = "tls-files"


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The files of one side: its certificate with its key, and the authorities that it trusts.

    Without `key`, the file of the certificate holds it. Without `authorities`, a client trusts the
    public ones, and a server asks for no certificate.
    """

    certificate: str | None = None
    key: str | None = None
    authorities: str | None = None

    @property
    def paths(self) -> tuple[str, ...]:
        """Those that are named."""
        return tuple(p for p in (self.certificate, self.key, self.authorities) if p is not None)


class Followed(Generic[T]):
    """What is made of files. Once they have changed and are usable, it is made again."""

    def __init__(self, files: TlsFiles, make: Callable[[TlsFiles], T]) -> None:
        """Raises UnusableFiles."""
        self._files, self._make = files, make
        self._stamps: tuple[tuple[int, int, int], ...] | None = _stamps(files)
        self._made = make(files)
        self._looked = time.monotonic()
        self._unusable = ""

    def current(self) -> T:
        """What the files are now.

        Files that cannot be used change nothing: perhaps only one of a pair is there yet.
        """
        now = time.monotonic()
        if self._stamps is None or (self._files.paths and now - self._looked >= LOOK):
            self._looked = now
            self._follow()
        return self._made

    def renew(self) -> None:
        """Make it again, because something else has changed."""
        self._stamps = None

    def _follow(self) -> None:
        try:
            stamps = _stamps(self._files)
            if stamps == self._stamps:
                return
            self._made = self._make(self._files)
        except UnusableFiles as error:
            self._stamps = self._stamps or ()
            if str(error) != self._unusable:
                self._unusable = str(error)
                log().error("tls.unusable", error=str(error))
        else:
            if self._stamps is not None:
                log().info("tls.replaced", files=self._files.paths)
            self._stamps, self._unusable = stamps, ""


class ServerTls:
    """What this process's own ports show, and which certificates of clients they take."""

    def __init__(
        self, files: TlsFiles, registered: Callable[[], tuple[bytes, ...]] = tuple
    ) -> None:
        """`registered`: certificates (DER) that are taken whoever issued them.

        Raises UnusableFiles.
        """
        self._registered_now, self._registered = registered, registered()
        self._followed = Followed(files, self._make)

    def current(self) -> ssl.SSLContext:
        """The context for a new connection."""
        registered = self._registered_now()
        if registered is not self._registered:
            changed, self._registered = registered != self._registered, registered
            if changed:
                self._followed.renew()
        return self._followed.current()

    def _make(self, files: TlsFiles) -> ssl.SSLContext:
        return _server_context(files, self._registered)


def own_certificate(settings: Settings) -> TlsFiles | None:
    """The files of the ports of this process; None if they serve without TLS."""
    if settings.tls_certificate_file is None:
        return None
    return TlsFiles(settings.tls_certificate_file, settings.tls_key_file)


def client_authorities(settings: Settings) -> Followed[list[x509.Certificate]]:
    """The authorities that may name clients. Raises UnusableFiles."""
    return Followed(TlsFiles(authorities=settings.tls_client_ca_file), _certificates)


def client_context(files: TlsFiles) -> ssl.SSLContext:
    """A context that verifies the server, and shows our certificate if there is one.

    Raises UnusableFiles.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if files.authorities is None:
        context.load_default_certs()
    add_files(context, files)
    return context


def add_files(context: ssl.SSLContext, files: TlsFiles) -> None:
    """Trust these authorities as well, and show this certificate to who asks for one.

    Raises UnusableFiles.
    """
    if files.authorities is not None:
        _load_authorities(context, files.authorities)
    _load_pair(context, files)


def expires(certificate: str) -> float:
    """When the certificate in a file expires, in seconds since 1970."""
    with open(certificate, "rb") as file:
        return x509.load_pem_x509_certificate(file.read()).not_valid_after_utc.timestamp()


def _server_context(files: TlsFiles, registered: tuple[bytes, ...] = ()) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.set_alpn_protocols(["http/1.1"])
    # A resumed session would outlive the check of a client's certificate, and its ticket the key.
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION
    context.num_tickets = 0
    add_files(context, files)
    if registered:
        context.load_verify_locations(cadata=b"".join(registered))
    if registered or files.authorities is not None:
        # Also one that is registered, or issued by an authority below the one of the system.
        context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
        context.verify_mode = ssl.CERT_OPTIONAL
    EXPIRES.set(expires(files.certificate or ""))
    return context


def _load_pair(context: ssl.SSLContext, files: TlsFiles) -> None:
    if files.certificate is None:
        return
    for path in (files.certificate, files.key):
        _readable(path or files.certificate)
    try:
        # A key with a password is refused: without one here, the library would ask the terminal.
        context.load_cert_chain(files.certificate, files.key, password="")
    except (ssl.SSLError, ValueError) as error:
        key = files.key or files.certificate
        raise UnusableFiles(
            f"The certificate {files.certificate} with the key {key} cannot be used "
            f"({_reason(error)}). Name a certificate (PEM) and its own key, without a password."
        ) from None


def _load_authorities(context: ssl.SSLContext, path: str) -> None:
    try:
        context.load_verify_locations(cafile=_readable(path))
    except (ssl.SSLError, ValueError) as error:
        raise _no_authorities(path, error) from None


def _no_authorities(path: str, error: Exception) -> UnusableFiles:
    return UnusableFiles(
        f"The authorities in {path} cannot be used ({_reason(error)}). The file must hold "
        "certificates (PEM)."
    )


def _certificates(files: TlsFiles) -> list[x509.Certificate]:
    if files.authorities is None:
        return []
    try:
        with open(_readable(files.authorities), "rb") as file:
            return x509.load_pem_x509_certificates(file.read())
    except ValueError as error:
        raise _no_authorities(files.authorities, error) from None


def _stamps(files: TlsFiles) -> tuple[tuple[int, int, int], ...]:
    stamps = []
    for path in files.paths:
        try:
            found = os.stat(path)
        except (OSError, ValueError) as error:
            raise _missing(path, error) from None
        stamps.append((found.st_mtime_ns, found.st_size, found.st_ino))
    return tuple(stamps)


def _readable(path: str) -> str:
    try:
        with open(path, "rb") as file:
            file.read(1)
    except (OSError, ValueError) as error:
        raise _missing(path, error) from None
    return path


def _missing(path: str, error: Exception) -> UnusableFiles:
    why = getattr(error, "strerror", None) or error
    return UnusableFiles(
        f"The file {path!r} cannot be read ({why}). See the settings {PREFIX}TLS_... "
        f"and {PREFIX}WEBHOOK_..., and the parameters cafile, certfile and keyfile of URLs."
    )


def _reason(error: Exception) -> str:
    return getattr(error, "reason", None) or type(error).__name__

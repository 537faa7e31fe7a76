"""TLS of the gRPC port: the same files as the other ports, followed in the same way."""

import ssl
from collections.abc import Callable
from pathlib import Path

import grpc

from gateway.base.settings import Settings
from gateway.base.tls import Followed, ServerTls, TlsFiles


class GrpcTls:
    """What the port shows, and, if it asks for certificates, which ones it takes."""

    def __init__(
        self, files: TlsFiles, settings: Settings, registered: Callable[[], tuple[bytes, ...]]
    ) -> None:
        """`registered`: certificates (DER) that clients have registered, whoever issued them.

        Raises UnusableFiles.
        """
        self._asks = settings.grpc_require_certificate
        self._registered_now, self._registered = registered, registered()
        authorities = settings.tls_client_ca_file if self._asks else None
        self._followed = Followed(TlsFiles(files.certificate, files.key, authorities), self._made)

    def credentials(self) -> grpc.ServerCredentials:
        """What a port is opened with. Each new connection gets what the files are then."""
        return grpc.dynamic_ssl_server_credentials(
            self._current(), self._current, require_client_authentication=self._asks
        )

    def _current(self) -> grpc.ServerCertificateConfiguration:
        registered = self._registered_now()
        if registered is not self._registered:
            changed, self._registered = registered != self._registered, registered
            if changed and self._asks:
                self._followed.renew()
        return self._followed.current()

    def _made(self, files: TlsFiles) -> grpc.ServerCertificateConfiguration:
        ServerTls(files)  # raises UnusableFiles, with what to do
        certificate = Path(files.certificate or "").read_bytes()
        key = Path(files.key).read_bytes() if files.key else certificate
        taken = Path(files.authorities).read_bytes() if files.authorities else b""
        taken += b"".join(ssl.DER_cert_to_PEM_cert(each).encode() for each in self._registered)
        return grpc.ssl_server_certificate_configuration(
            [(key, certificate)], root_certificates=taken if self._asks else None
        )

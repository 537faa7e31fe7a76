"""TLS to the gateway, where the public authorities or a secret are not enough."""

import ssl
from dataclasses import dataclass


class UnusableFile(Exception):
    """A certificate, its key or a file of authorities cannot be used; the text says why."""


@dataclass(frozen=True, slots=True)
class Tls:
    """Files (PEM): our certificate, its key, and the authorities that the gateway's must be from.

    Without `key_file` the key is in the file of the certificate. Without `ca_file` the public
    authorities are trusted. The files are read once; a replaced certificate needs a new connection.
    """

    certificate_file: str = ""
    key_file: str = ""
    ca_file: str = ""

    def context(self) -> ssl.SSLContext:
        """What connections use. The gateway is always verified. Raises UnusableFile."""
        try:
            context = ssl.create_default_context(cafile=self.ca_file or None)
        except (OSError, ValueError) as error:
            raise UnusableFile(
                f"The authorities in {self.ca_file} cannot be used ({_reason(error)}). The file "
                "must hold certificates (PEM)."
            ) from None
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if not self.certificate_file:
            return context
        key = self.key_file or self.certificate_file
        try:
            # Without a password here, the library would ask the terminal for one.
            context.load_cert_chain(self.certificate_file, key, password="")
        except (OSError, ValueError) as error:
            raise UnusableFile(
                f"The certificate {self.certificate_file} with the key {key} cannot be used "
                f"({_reason(error)}). Name a certificate (PEM) and its own key, without a password."
            ) from None
        return context


def _reason(error: Exception) -> str:
    """OpenSSL's word for it, or the system's."""
    return getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)

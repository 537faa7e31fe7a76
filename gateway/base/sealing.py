"""Encryption with keys that are derived from the one secret key, each for a single purpose."""

from functools import lru_cache
from os import urandom

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

from gateway.base.errors import NusabusError

_NONCE = 12  # bytes (NIST SP 800-38D, section 5.2.1.1)


class WrongSecretKey(NusabusError):
    """The database holds values that were sealed under another secret key."""

    code = "wrong-secret-key"


@lru_cache(maxsize=16)
def purpose_key(secret_key: SecretStr, purpose: str) -> bytes:
    """A key of 32 bytes, independent of the keys of all other purposes (HKDF, RFC 5869)."""
    derivation = HKDF(SHA256(), length=32, salt=b"nusabus", info=purpose.encode())
    return derivation.derive(secret_key.get_secret_value().encode())


def seal(secret_key: SecretStr, purpose: str, name: str, content: bytes) -> bytes:
    """Encrypt `content`; only the same purpose and name decrypt it."""
    nonce = urandom(_NONCE)
    box = AESGCM(purpose_key(secret_key, purpose))
    return nonce + box.encrypt(nonce, content, name.encode())


def unseal(secret_key: SecretStr, purpose: str, name: str, sealed: bytes) -> bytes:
    """Decrypt. Raises WrongSecretKey unless it was sealed with exactly these."""
    box = AESGCM(purpose_key(secret_key, purpose))
    try:
        return box.decrypt(sealed[:_NONCE], sealed[_NONCE:], name.encode())
    except InvalidTag:
        raise WrongSecretKey(
            f"{name} cannot be decrypted. Set NUSABUS_SECRET_KEY to the key that sealed it."
        ) from None

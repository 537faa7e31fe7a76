"""Standard Webhooks 1.0: the headers that prove the sender, the content and the time of a call."""

from base64 import b64encode
from collections.abc import Callable, Sequence
from hashlib import sha256
from hmac import digest

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import SecretStr

from gateway.base.event import Event
from gateway.subscriptions import Signature, webhooks

Sign = Callable[[bytes], str]


def webhook_id(event: Event) -> str:
    """The id by which a receiver recognises repeats: the same in every attempt at an event."""
    return f"evt_{event.identity.hex()}"


def signers(keys: Sequence[webhooks.SigningKey], secret_key: SecretStr) -> tuple[Sign, ...]:
    """For each key the function that signs with it. Raises WrongSecretKey."""
    return tuple(_signer(key.signature, key.open(secret_key)) for key in keys)


def headers(id: str, timestamp: int, body: bytes, sign: Sequence[Sign]) -> list[tuple[str, str]]:
    """The three headers. `timestamp` is the Unix time of the attempt, in seconds."""
    content = b"%b.%d.%b" % (id.encode(), timestamp, body)
    return [
        ("webhook-id", id),
        ("webhook-timestamp", str(timestamp)),
        ("webhook-signature", " ".join(each(content) for each in sign)),
    ]


def _signer(signature: Signature, secret: bytes) -> Sign:
    if signature is Signature.HMAC:
        return lambda content: f"v1,{b64encode(digest(secret, content, sha256)).decode()}"
    private = Ed25519PrivateKey.from_private_bytes(secret)
    return lambda content: f"v1a,{b64encode(private.sign(content)).decode()}"

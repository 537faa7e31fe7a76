"""What we sign verifies elsewhere."""

import time
from base64 import b64decode, b64encode
from datetime import UTC, datetime

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import SecretStr
from standardwebhooks import Webhook, WebhookVerificationError

from gateway.base.sealing import seal
from gateway.delivery.webhook.signatures import headers, signers, webhook_id
from gateway.subscriptions import Signature
from gateway.subscriptions.webhooks import SigningKey
from tests.builders import an_event

SECRET_KEY = SecretStr("a secret key that is only for tests.")
BODY = b'{"specversion":"1.0","data":{"nama":"Siti"}}'


def a_key(secret: bytes, signature: Signature = Signature.HMAC, id: str = "k") -> SigningKey:
    sealed = seal(SECRET_KEY, "webhook keys v1", f"uji/s/{id}", secret)
    return SigningKey(("uji", "s"), id, signature, None, sealed, datetime.now(UTC), None)


def whsec(secret: bytes) -> str:
    return f"whsec_{b64encode(secret).decode()}"


def test_hmac_verifies_with_the_package_of_the_standard() -> None:
    sign = signers([a_key(b"s" * 32)], SECRET_KEY)
    sent = dict(headers("evt_1", int(time.time()), BODY, sign))
    assert Webhook(whsec(b"s" * 32)).verify(BODY, sent)
    with pytest.raises(WebhookVerificationError):
        Webhook(whsec(b"t" * 32)).verify(BODY, sent)
    with pytest.raises(WebhookVerificationError):
        Webhook(whsec(b"s" * 32)).verify(BODY + b" ", sent)
    with pytest.raises(WebhookVerificationError):
        Webhook(whsec(b"s" * 32)).verify(BODY, {**sent, "webhook-id": "evt_2"})


def test_during_a_rotation_both_secrets_verify() -> None:
    sign = signers([a_key(b"n" * 32, id="new"), a_key(b"o" * 32, id="old")], SECRET_KEY)
    sent = dict(headers("evt_1", int(time.time()), BODY, sign))
    for secret in (b"n", b"o"):
        assert Webhook(whsec(secret * 32)).verify(BODY, sent)


def test_ed25519_verifies_with_the_public_key() -> None:
    sign = signers([a_key(b"e" * 32, Signature.ED25519)], SECRET_KEY)
    sent = dict(headers("evt_1", 1700000000, BODY, sign))
    version, _, text = sent["webhook-signature"].partition(",")
    assert version == "v1a"
    public = Ed25519PrivateKey.from_private_bytes(b"e" * 32).public_key().public_bytes_raw()
    verifying = Ed25519PublicKey.from_public_bytes(public)
    verifying.verify(b64decode(text), b"evt_1.1700000000." + BODY)
    with pytest.raises(InvalidSignature):
        verifying.verify(b64decode(text), b"evt_1.1700000001." + BODY)


def test_an_event_has_one_webhook_id_of_its_own() -> None:
    event = an_event(id="a.b é", source="/uji")
    assert webhook_id(event) == webhook_id(an_event(id="a.b é", source="/uji", data=b"2"))
    assert webhook_id(event) != webhook_id(an_event(id="a.b é", source="/lain"))
    assert webhook_id(event).isascii()
    assert "." not in webhook_id(event)

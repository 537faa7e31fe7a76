"""Access tokens that are forged, each wrong in one way."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from hmac import digest as hmac_digest
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from joserfc import jwe, jws
from joserfc.jwk import ECKey

from gateway.base.settings import Settings
from gateway.identity import Client, ClientState, KeyState, Role, SigningKey
from gateway.identity.signing import new_signing_key

NOW = 1_800_000_000
SETTINGS = Settings.parse(
    {
        "NUSABUS_DATABASE_URL": "postgresql://unused",
        "NUSABUS_AMQP_URL": "amqp://unused",
        "NUSABUS_SECRET_KEY": "a secret key that is only for tests.",
        "NUSABUS_URL": "https://bus.example.go.id",
    }
)
ACTIVE = new_signing_key(SETTINGS, KeyState.ACTIVE)
NEXT = new_signing_key(SETTINGS, KeyState.NEXT)
CLIENT = Client(
    "dukcapil-7f3k",
    "dukcapil",
    "Registration",
    frozenset({Role.PUBLISHER}),
    ClientState.ACTIVE,
    False,
    datetime(2024, 1, 1, tzinfo=UTC),
)
SECRET = "5f0c2a9d1e77"


def b64(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()


def signed(
    header: dict[str, Any] | None = None,
    claims: dict[str, Any] | None = None,
    *,
    key: SigningKey = ACTIVE,
    without: str = "",
    payload: bytes | None = None,
) -> str:
    """A token whose signature is right, made of the right parts unless told otherwise."""
    head = {"typ": "at+jwt", "alg": "ES256", "kid": key.kid, **(header or {})}
    body = {
        "iss": SETTINGS.url,
        "aud": SETTINGS.url,
        "sub": CLIENT.id,
        "credential_id": SECRET,
        "iat": NOW,
        "nbf": NOW,
        "exp": NOW + 600,
        **(claims or {}),
    }
    head.pop(without, None)
    body.pop(without, None)
    content = json.dumps(body).encode() if payload is None else payload
    private = key.private(SETTINGS.secret_key)
    signing_input = f"{b64(json.dumps(head).encode())}.{b64(content)}"
    # Sign the bytes ourselves: the library would not write most of these headers.
    full = jws.serialize_compact({"alg": "ES256"}, content, private, algorithms=["ES256"])
    assert full
    algorithm = jws.JWSRegistry.algorithms["ES256"]
    return f"{signing_input}.{b64(algorithm.sign(signing_input.encode(), private))}"


def hs256(secret: bytes) -> str:
    """A token that claims HS256, keyed with what everybody may read."""
    header = b64(json.dumps({"typ": "at+jwt", "alg": "HS256", "kid": ACTIVE.kid}).encode())
    content = f"{header}.{signed().split('.')[1]}"
    return f"{content}.{b64(hmac_digest(secret, content.encode(), sha256))}"


def public_pem() -> bytes:
    public = ECKey.import_key(dict(ACTIVE.public)).public_key
    return public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def unsigned(alg: str, signature: bytes = b"") -> str:
    header = b64(json.dumps({"typ": "at+jwt", "alg": alg, "kid": ACTIVE.kid}).encode())
    return f"{header}.{signed().split('.')[1]}.{b64(signature)}"


def der_signature() -> str:
    head, payload, _ = signed().split(".")
    return f"{head}.{payload}.{b64(encode_dss_signature(1, 1))}"


def encrypted() -> str:
    public = {name: ACTIVE.public[name] for name in ("kty", "crv", "x", "y")}
    key = ECKey.import_key(public)
    return jwe.encrypt_compact(
        {"alg": "ECDH-ES", "enc": "A256GCM", "kid": ACTIVE.kid}, signed().encode(), key
    )


STRANGER = replace(
    new_signing_key(SETTINGS, KeyState.ACTIVE), state=KeyState.ACTIVE
)  # a key that is in no directory
ATTACKS: dict[str, Callable[[], str | bytes]] = {
    "nothing": lambda: "",
    "a word": lambda: "token",
    "dots": lambda: "..",
    "not ASCII": lambda: "töken.töken.töken",
    "a lone surrogate": lambda: "\ud800.\ud800.\ud800",
    "alg none": lambda: unsigned("none"),
    "alg None": lambda: unsigned("None"),
    "alg none with a signature": lambda: unsigned("none", b"x" * 64),
    "alg empty": lambda: unsigned(""),
    "HS256 keyed with the public PEM": lambda: hs256(public_pem()),
    "HS256 keyed with the public JWK": lambda: hs256(json.dumps(dict(ACTIVE.public)).encode()),
    "HS256 keyed with nothing": lambda: hs256(b""),
    "ES256 in small letters": lambda: signed({"alg": "es256"}),
    "another alg in the header": lambda: signed({"alg": "ES384"}),
    "no alg": lambda: signed(without="alg"),
    "unknown kid": lambda: signed({"kid": "unknown"}),
    "no kid": lambda: signed(without="kid"),
    "kid is a number": lambda: signed({"kid": 1}),
    "kid is a list": lambda: signed({"kid": [ACTIVE.kid]}),
    "kid is null": lambda: signed({"kid": None}),
    "kid of another key": lambda: signed({"kid": NEXT.kid}),
    "a stranger's key under our kid": lambda: signed({"kid": ACTIVE.kid}, key=STRANGER),
    "a stranger's key": lambda: signed(key=STRANGER),
    "a stranger's key in the header": lambda: signed(
        {"kid": ACTIVE.kid, "jwk": dict(STRANGER.public)}, key=STRANGER
    ),
    "a place to fetch the key": lambda: signed({"jku": "https://evil.example/jwks"}),
    "a certificate": lambda: signed({"x5c": ["MIIB"]}),
    "crit": lambda: signed({"crit": ["exp"], "exp": NOW + 600}),
    "unencoded payload": lambda: signed({"crit": ["b64"], "b64": False}),
    "an unknown header": lambda: signed({"extra": 1}),
    "typ JWT": lambda: signed({"typ": "JWT"}),
    "no typ": lambda: signed(without="typ"),
    "another issuer": lambda: signed(claims={"iss": "https://evil.example"}),
    "no issuer": lambda: signed(without="iss"),
    "another audience": lambda: signed(claims={"aud": "https://other.example"}),
    "several audiences": lambda: signed(claims={"aud": [SETTINGS.url, "other"]}),
    "no audience": lambda: signed(without="aud"),
    "no subject": lambda: signed(without="sub"),
    "subject is a number": lambda: signed(claims={"sub": 7}),
    "no credential": lambda: signed(without="credential_id"),
    "the credential is a number": lambda: signed(claims={"credential_id": 7}),
    "the credential is a number beside its former name": lambda: signed(
        claims={"credential_id": 7, "client_secret_id": SECRET}
    ),
    "the credential is a number under its former name": lambda: signed(
        claims={"client_secret_id": 7}, without="credential_id"
    ),
    "expired": lambda: signed(claims={"exp": NOW}),
    "no expiry": lambda: signed(without="exp"),
    "expiry is a text": lambda: signed(claims={"exp": str(NOW + 600)}),
    "expiry is infinite": lambda: signed(payload=b'{"exp": Infinity}'),
    "not yet": lambda: signed(claims={"nbf": NOW + 60}),
    "no start": lambda: signed(without="nbf"),
    "from the future": lambda: signed(claims={"iat": NOW + 60}),
    "claims are a list": lambda: signed(payload=b"[]"),
    "claims are no JSON": lambda: signed(payload=b"{"),
    "claims are no UTF-8": lambda: signed(payload=b"\xff"),
    "no signature": lambda: signed().rpartition(".")[0] + ".",
    "no signature part": lambda: signed().rpartition(".")[0],
    "a part too many": lambda: signed() + ".",
    "a signature of zeros": lambda: unsigned("ES256", bytes(64)),
    "a signature of one byte": lambda: unsigned("ES256", b"\0"),
    "a signature in DER": der_signature,
    "truncated": lambda: signed()[:-10],
    "padding": lambda: signed() + "=",
    "a space": lambda: " " + signed(),
    "JSON serialization": lambda: json.dumps({"payload": "e30", "signatures": []}),
    "encrypted": encrypted,
    "huge": lambda: signed(claims={"x": "y" * 3000}),
    "huge bytes": lambda: b"A" * 10_000_000,
    "deep": lambda: b64(b"[" * 1000) + ".e30.e30",
}

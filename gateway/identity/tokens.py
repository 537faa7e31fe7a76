"""Access tokens: JWTs that name a client (RFC 9068), issued and accepted by the gateway alone.

A token names a client and the credential that it was issued for, not rights: roles and state are
looked up in the directory at each request, so disabling a client and deleting a secret or a
certificate work at once. The signature is checked when a token is first seen; after that its
SHA-256 digest is cached until it expires.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from hashlib import sha256
from secrets import token_urlsafe
from typing import Any, NamedTuple

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, GuestProtocol

from gateway.base.errors import NotAuthenticated, Unavailable
from gateway.base.settings import Settings
from gateway.identity.directory import Directory
from gateway.identity.peer_certificate import PeerCertificate
from gateway.identity.signing import ALGORITHM, KeyState
from gateway.identity.values import Client

SKEW = 30  # seconds that the clocks of our own machines may differ: a process behind must not
# refuse what one ahead has just issued. A token never lives longer for it.
YOUNG = 5  # seconds within which a directory that can be loaded is loaded again
LIMIT = 2048  # bytes; ours have about 500
REMEMBERED = 100_000  # about 30 MB when full
_TYPE = "at+jwt"  # RFC 9068, section 2.1
_CREDENTIAL = "credential_id"  # of a secret or a certificate
# Its name before certificates came. Written and read beside it, so that processes of both versions
# accept the tokens of each other while one replaces the other.
_FORMER_CREDENTIAL = "client_secret_id"
_THUMBPRINT = "x5t#S256"


class VerifiedToken(NamedTuple):
    """A token that is ours and in force: its client, and the id of the credential that got it.

    `thumbprint` is that of the certificate whose holder alone may use it.
    """

    client: str
    credential: str
    issued: int
    expires: int
    key: ECKey
    thumbprint: str | None = None


class Tokens:
    """Issues access tokens and checks them, by the keys in the present directory."""

    def __init__(
        self,
        settings: Settings,
        directory: Callable[[], Directory],
        *,
        now: Callable[[], float] = time.time,
        remembered: int = REMEMBERED,
    ) -> None:
        self._settings = settings
        self._directory = directory
        self._now = now
        self._capacity = remembered
        self._remembered: OrderedDict[bytes, VerifiedToken] = OrderedDict()
        self._seen: Directory | None = None
        self._keys: dict[str, ECKey] = {}
        self._signer: tuple[str, ECKey] | None = None

    def issue(self, client: Client, credential: str, thumbprint: str | None = None) -> str:
        """A new token for a client that presented the secret or certificate of this id.

        It is valid for `token_seconds`, and only with the certificate of the thumbprint, if given.
        """
        key = self._active_key()
        issued = int(self._now())
        claims: dict[str, Any] = {
            "iss": self._settings.url,
            "aud": self._settings.url,
            "sub": client.id,
            "client_id": client.id,
            "org": client.organisation,
            _CREDENTIAL: credential,
            _FORMER_CREDENTIAL: credential,
            "iat": issued,
            "nbf": issued,
            "exp": issued + self._settings.token_seconds,
            "jti": token_urlsafe(12),
        }
        if thumbprint is not None:
            claims["cnf"] = {_THUMBPRINT: thumbprint}  # RFC 8705, section 3.1
        return jwt.encode(_header(key.kid), claims, key, algorithms=[ALGORITHM])

    def verify(self, token: str | bytes) -> VerifiedToken:
        """What a token names.

        Raises NotAuthenticated unless it is ours, unchanged and in force, and its key is known.
        """
        raw = token.encode(errors="replace") if isinstance(token, str) else token
        if len(raw) > LIMIT:
            raise not_authenticated()
        keys = self._public_keys()
        digest = sha256(raw).digest()
        known = self._remembered.get(digest)
        if known is None:
            known = self._check(raw, keys)
            self._remember(digest, known)
        elif known.expires <= self._now() or keys.get(known.key.kid or "") is not known.key:
            del self._remembered[digest]
            raise not_authenticated()
        else:
            self._remembered.move_to_end(digest)
        return known

    def remembered(self, token: str) -> VerifiedToken | None:
        """What a token named when it was verified, if this is remembered. It may be void by now."""
        return self._remembered.get(sha256(token.encode(errors="replace")).digest())

    def is_new(self, token: VerifiedToken) -> bool:
        """Whether it may be younger than this process's directory."""
        return self._now() - token.issued < SKEW + YOUNG

    def _check(self, token: bytes, keys: Mapping[str, ECKey]) -> VerifiedToken:
        def named(signature: GuestProtocol) -> ECKey:
            header = signature.headers()
            key = keys.get(str(header.get("kid")))
            if key is None or header != _header(key.kid):
                raise not_authenticated()
            return key

        try:
            read = jwt.decode(token, named, algorithms=[ALGORITHM])
            key = keys[read.header["kid"]]
        except (JoseError, ValueError, TypeError):
            raise not_authenticated() from None
        if not self._in_force(read.claims):
            raise not_authenticated()
        claims = read.claims
        return VerifiedToken(
            claims["sub"],
            _credential(claims),
            claims["iat"],
            claims["exp"],
            key,
            claims["cnf"][_THUMBPRINT] if "cnf" in claims else None,
        )

    def _in_force(self, claims: Mapping[str, Any]) -> bool:
        now = self._now()
        return (
            claims.get("iss") == self._settings.url
            and claims.get("aud") == self._settings.url
            and isinstance(claims.get("sub"), str)
            and isinstance(_credential(claims), str)
            and all(isinstance(claims.get(name), int) for name in ("iat", "nbf", "exp"))
            and ("cnf" not in claims or _is_binding(claims["cnf"]))
            and max(claims["iat"], claims["nbf"]) <= now + SKEW
            and now < claims["exp"]
        )

    def _remember(self, digest: bytes, verified: VerifiedToken) -> None:
        now = self._now()
        self._remembered[digest] = verified
        oldest = next(iter(self._remembered.items()))
        while len(self._remembered) > self._capacity or oldest[1].expires <= now:
            del self._remembered[oldest[0]]
            oldest = next(iter(self._remembered.items()))

    def _public_keys(self) -> dict[str, ECKey]:
        directory = self._directory()
        if directory is not self._seen:
            # The same object for the same key, so that `is` tells whether a key is still in force.
            self._keys = {
                key.kid: self._keys.get(key.kid) or ECKey.import_key(dict(key.public))
                for key in directory.signing_keys
            }
            self._seen = directory
        return self._keys

    def _active_key(self) -> ECKey:
        active = next(
            (k for k in self._directory().signing_keys if k.state is KeyState.ACTIVE), None
        )
        if active is None:
            raise Unavailable("There is no signing key yet. Try again in a second.")
        if self._signer is None or self._signer[0] != active.kid:
            self._signer = (active.kid, active.private(self._settings.secret_key))
        return self._signer[1]


class BoundElsewhere(NotAuthenticated):
    """The token belongs to the holder of a certificate that this connection does not show."""

    error = "invalid_token"


def require_binding(token: VerifiedToken, peer: PeerCertificate | None) -> None:
    """Raises BoundElsewhere unless the sender may use the token (RFC 8705, section 3)."""
    if token.thumbprint is None:
        return
    if peer is None or peer.thumbprint != token.thumbprint:
        raise BoundElsewhere(
            "The access token is bound to a client certificate (RFC 8705). Send it on a connection "
            "that shows this certificate, or get a new token."
        )


def _credential(claims: Mapping[str, Any]) -> Any:
    return claims[_CREDENTIAL] if _CREDENTIAL in claims else claims.get(_FORMER_CREDENTIAL)


def _is_binding(confirmation: Any) -> bool:
    """Whether it is one of ours: an unknown way to bind a token is not ignored."""
    return (
        isinstance(confirmation, dict)
        and confirmation.keys() == {_THUMBPRINT}
        and isinstance(confirmation[_THUMBPRINT], str)
    )


def not_authenticated() -> NotAuthenticated:
    """The error for every failed authentication, with one text for every reason."""
    return NotAuthenticated(
        "Authentication required. Send a valid access token as `Authorization: Bearer`."
    )


def _header(kid: str | None) -> dict[str, Any]:
    return {"typ": _TYPE, "alg": ALGORITHM, "kid": kid}

"""`POST /oauth/token` (RFC 6749, section 4.4) and `/.well-known/jwks.json`.

The token endpoint speaks the errors of RFC 6749, section 5.2, not problem+json.
"""

import binascii
from base64 import b64decode
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qsl, unquote_plus

from fastapi import APIRouter, Request, Response, Security
from fastapi.openapi.models import HTTPBase
from fastapi.responses import JSONResponse
from fastapi.security.base import SecurityBase
from pydantic import BaseModel, Field, SecretStr
from typing_extensions import TypeAliasType

from gateway.base.errors import NotAuthenticated
from gateway.base.telemetry import log
from gateway.http.context import PEER, ApiContext, Context
from gateway.http.models import Absent, ModelResponse
from gateway.http.problems import documented
from gateway.identity import Client, OrganisationSuspended, PeerCertificate, TooManyAttempts

router = APIRouter(tags=["tokens"])

BODY_LIMIT = 8 << 10  # bytes
JWKS_SECONDS = 300
_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}
_CHALLENGE = {"WWW-Authenticate": 'Basic realm="nusabus", charset="UTF-8"'}
_FORM = "application/x-www-form-urlencoded"
_NOTHING_PRESENTED = (
    "Send the client id and secret as HTTP Basic or in the form, or the client id alone on a "
    "connection that shows a registered client certificate."
)
_OPENAPI: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            _FORM: {
                "schema": {"$ref": "#/components/schemas/TokenRequest"},
                "example": {"grant_type": "client_credentials"},
            }
        },
    },
}


TokenErrorCode = TypeAliasType(
    "TokenErrorCode",
    Literal[
        "invalid_request",
        "invalid_client",
        "invalid_scope",
        "unauthorized_client",
        "unsupported_grant_type",
        "temporarily_unavailable",
    ],
)


class TokenRequest(BaseModel):
    """The form of the token endpoint. The credentials may be sent as HTTP Basic instead.

    Without a secret, the client certificate of the connection counts.
    """

    grant_type: Literal["client_credentials"]
    client_id: str | Absent = None
    client_secret: str | Absent = Field(default=None, json_schema_extra={"format": "password"})


class AccessToken(BaseModel):
    """An access token (RFC 6749, section 5.1)."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the name of a scheme
    expires_in: int = Field(description="Seconds until it expires.")


class TokenError(BaseModel):
    """An error of the token endpoint (RFC 6749, section 5.2)."""

    error: TokenErrorCode
    error_description: str


JsonWebKey = TypeAliasType("JsonWebKey", dict[str, Any])


class JsonWebKeySet(BaseModel):
    """Public keys (RFC 7517, section 5)."""

    keys: list[JsonWebKey]


class JwkSet(JSONResponse):
    """Public keys as JSON."""

    media_type = "application/jwk-set+json"


class _ClientSecretBasic(SecurityBase):
    """Documents HTTP Basic with a client id and a secret; `_credentials` reads it."""

    def __init__(self) -> None:
        self.model = HTTPBase(scheme="basic", description="The client id and a secret.")
        self.scheme_name = "clientSecretBasic"

    async def __call__(self, request: Request) -> None:
        """Nothing to do."""


class _Refusal(Exception):
    """An error of RFC 6749, section 5.2."""

    def __init__(
        self, error: TokenErrorCode, description: str, status: int = 400, **headers: str
    ) -> None:
        super().__init__(description)
        self.error = error
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


@dataclass(frozen=True, slots=True)
class _Presented:
    """A client id and secret as they were sent; without one, the certificate counts."""

    id: str
    secret: SecretStr | None = field(repr=False)


def _error(description: str) -> dict[str, Any]:
    return {"model": TokenError, "description": description}


@router.post(
    "/oauth/token",
    responses={
        400: _error("The form breaks a rule of RFC 6749, or the organisation is suspended."),
        401: _error("The client id, or the secret or certificate, is wrong."),
        408: documented(408),
        413: _error("The form is too large."),
        429: _error("Too many failed attempts. Repeat after Retry-After."),
        500: documented(500),
        503: documented(503),
    },
    dependencies=[Security(_ClientSecretBasic())],
    openapi_extra=_OPENAPI,
)
async def issue_token(request: Request, context: Context) -> ModelResponse[AccessToken]:
    """Issue an access token for a client id and a secret, sent as HTTP Basic or in the form.

    Without a secret, the client certificate of the connection counts if the client has registered
    it. The token is bound to it then: only a connection that shows it can use the token (RFC 8705).
    """
    address = request.client.host if request.client else ""
    try:
        form = await _form(request)
        presented = _credentials(request.headers.get("authorization"), form)
        _check_grant(form)
        client, credential, thumbprint = await _authenticate(
            context, presented, request.scope.get(PEER), address
        )
    except OrganisationSuspended as error:
        return _refused(_Refusal("unauthorized_client", str(error)), address)
    except NotAuthenticated as error:
        return _refused(_unknown_client(str(error)), address)
    except TooManyAttempts as error:
        wait = str(error.retry_after)
        refusal = _Refusal("temporarily_unavailable", str(error), 429, Retry_After=wait)
        return _refused(refusal, address)
    except _Refusal as refusal:
        return _refused(refusal, address)
    log().info("token.issued", client=client.id, address=address)
    token = context.tokens.issue(client, credential, thumbprint)
    return ModelResponse(
        AccessToken(access_token=token, expires_in=context.settings.token_seconds),
        headers=_NO_STORE,
    )


@router.get("/.well-known/jwks.json", response_class=JwkSet, responses={500: documented(500)})
async def get_jwks(response: Response, context: Context) -> JsonWebKeySet:
    """The public keys that verify our access tokens (RFC 7517)."""
    response.headers["Cache-Control"] = f"public, max-age={JWKS_SECONDS}"
    return JsonWebKeySet.model_validate(context.directory.jwks)


async def _authenticate(
    context: ApiContext, presented: _Presented, peer: PeerCertificate | None, address: str
) -> tuple[Client, str, str | None]:
    """The client, the id of its credential, and the thumbprint that its token is bound to."""
    if presented.secret is not None:
        client, secret = await context.authenticator.authenticate(
            presented.id, presented.secret, address
        )
        return client, secret.id, None
    if peer is None:
        raise _unknown_client(_NOTHING_PRESENTED)
    client, certificate = await context.authenticator.authenticate_certificate(
        presented.id, peer, address
    )
    return client, certificate.id, peer.thumbprint


async def _form(request: Request) -> dict[str, str]:
    """The parameters of the body; empty ones count as left out (RFC 6749, section 3.2)."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != _FORM or "content-encoding" in request.headers:
        raise _Refusal("invalid_request", f"Send the parameters as {_FORM}.")
    if request.url.query:
        raise _Refusal("invalid_request", "Send the parameters in the body, never in the URL.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_LIMIT:
            raise _Refusal("invalid_request", f"The form is larger than {BODY_LIMIT} bytes.", 413)
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(body),
            errors="strict",
            max_num_fields=32,
        )
    except ValueError:
        raise _Refusal("invalid_request", f"The body must be {_FORM} in UTF-8.") from None
    form = dict(pairs)
    if len(form) < len(pairs):
        raise _Refusal("invalid_request", "A parameter is repeated. Send it once.")
    return {name: value for name, value in form.items() if value}


def _credentials(authorization: str | None, form: dict[str, str]) -> _Presented:
    """What the client presents, in one of the two ways (RFC 6749, section 2.3.1)."""
    if authorization is None:
        if "client_id" not in form:
            raise _unknown_client(_NOTHING_PRESENTED)
        secret = form.get("client_secret")
        return _Presented(form["client_id"], SecretStr(secret) if secret is not None else None)
    presented = _basic(authorization)
    if "client_secret" in form or form.get("client_id", presented.id) != presented.id:
        raise _Refusal("invalid_request", "Send the client credentials in one way only.")
    return presented


def _basic(authorization: str) -> _Presented:
    """HTTP Basic (RFC 7617) whose two parts are form-encoded first (RFC 6749, section 2.3.1)."""
    scheme, _, encoded = authorization.partition(" ")
    try:
        text = b64decode(encoded.strip(" "), validate=True).decode()
        id, colon, secret = text.partition(":")
        if scheme.lower() != "basic" or not colon:
            raise ValueError("not Basic")
        return _Presented(
            unquote_plus(id, errors="strict"), SecretStr(unquote_plus(secret, errors="strict"))
        )
    except (ValueError, binascii.Error):
        raise _unknown_client("The Authorization header must be HTTP Basic.") from None


def _check_grant(form: dict[str, str]) -> None:
    if "grant_type" not in form:
        raise _Refusal("invalid_request", "grant_type is missing. Use client_credentials.")
    if form["grant_type"] != "client_credentials":
        raise _Refusal("unsupported_grant_type", "Unsupported grant type. Use client_credentials.")
    if "scope" in form:
        raise _Refusal("invalid_scope", "Omit scope. A client has roles instead.")


def _unknown_client(description: str) -> _Refusal:
    return _Refusal("invalid_client", description, 401)


def _refused(refusal: _Refusal, address: str) -> ModelResponse[Any]:
    log().info("token.refused", error=refusal.error, address=address)
    challenge = _CHALLENGE if refusal.status == 401 else {}
    return ModelResponse(
        TokenError(error=refusal.error, error_description=str(refusal)),
        refusal.status,
        _NO_STORE | challenge | refusal.headers,
    )

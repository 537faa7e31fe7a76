"""`POST /oauth/token` (RFC 6749, section 4.4) and `/.well-known/jwks.json`.

The token endpoint speaks the errors of RFC 6749, section 5.2, which are no problem+json.
"""

import binascii
from base64 import b64decode
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import SecretStr

from gateway.base.errors import NotAuthenticated
from gateway.base.telemetry import log
from gateway.http.context import Context
from gateway.identity import TooManyAttempts

router = APIRouter(tags=["tokens"])

BODY_LIMIT = 8 << 10  # bytes
JWKS_SECONDS = 300
_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}
_CHALLENGE = {"WWW-Authenticate": 'Basic realm="nusabus", charset="UTF-8"'}
_FORM = "application/x-www-form-urlencoded"
_OPENAPI: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            _FORM: {
                "schema": {
                    "type": "object",
                    "required": ["grant_type"],
                    "properties": {
                        "grant_type": {"const": "client_credentials"},
                        "client_id": {"type": "string"},
                        "client_secret": {"type": "string", "format": "password"},
                    },
                }
            }
        },
    },
}


class _Refusal(Exception):
    """An error of RFC 6749, section 5.2."""

    def __init__(self, error: str, description: str, status: int = 400, **headers: str) -> None:
        super().__init__(description)
        self.error = error
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


@dataclass(frozen=True, slots=True)
class _Presented:
    """A client id and secret as they were sent."""

    id: str
    secret: SecretStr = field(repr=False)


@router.post("/oauth/token", openapi_extra=_OPENAPI)
async def issue_token(request: Request, context: Context) -> JSONResponse:
    """An access token for a client id and a secret, sent as HTTP Basic or in the form."""
    address = request.client.host if request.client else ""
    try:
        form = await _form(request)
        presented = _credentials(request.headers.get("authorization"), form)
        _check_grant(form)
        client = await context.logins.client(presented.id, presented.secret, address)
    except NotAuthenticated as error:
        return _refused(_unknown_client(str(error)), address)
    except TooManyAttempts as error:
        wait = str(error.retry_after)
        refusal = _Refusal("temporarily_unavailable", str(error), 429, Retry_After=wait)
        return _refused(refusal, address)
    except _Refusal as refusal:
        return _refused(refusal, address)
    log().info("token.issued", client=client.id, address=address)
    return JSONResponse(
        {
            "access_token": context.tokens.issue(client),
            "token_type": "Bearer",
            "expires_in": context.settings.token_seconds,
        },
        headers=_NO_STORE,
    )


@router.get("/.well-known/jwks.json")
async def get_jwks(context: Context) -> JSONResponse:
    """The public keys that check our tokens (RFC 7517)."""
    headers = {"Cache-Control": f"public, max-age={JWKS_SECONDS}"}
    return JSONResponse(
        context.directory.jwks, headers=headers, media_type="application/jwk-set+json"
    )


async def _form(request: Request) -> dict[str, str]:
    """The parameters of the body; empty ones count as left out (RFC 6749, section 3.2)."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != _FORM or "content-encoding" in request.headers:
        raise _Refusal("invalid_request", f"send the parameters as {_FORM}")
    if request.url.query:
        raise _Refusal("invalid_request", "parameters belong into the body, never into the URL")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_LIMIT:
            raise _Refusal("invalid_request", f"the body exceeds {BODY_LIMIT} bytes", 413)
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(body),
            errors="strict",
            max_num_fields=32,
        )
    except ValueError:
        raise _Refusal("invalid_request", f"the body is no {_FORM} of UTF-8 text") from None
    form = dict(pairs)
    if len(form) < len(pairs):
        raise _Refusal("invalid_request", "a parameter is sent twice")
    return {name: value for name, value in form.items() if value}


def _credentials(authorization: str | None, form: dict[str, str]) -> _Presented:
    """What the client presents, in one of the two ways (RFC 6749, section 2.3.1)."""
    if authorization is None:
        if "client_id" not in form or "client_secret" not in form:
            raise _unknown_client("send the client id and secret as HTTP Basic or in the form")
        return _Presented(form["client_id"], SecretStr(form["client_secret"]))
    presented = _basic(authorization)
    if "client_secret" in form or form.get("client_id", presented.id) != presented.id:
        raise _Refusal("invalid_request", "send the client's credentials in one way only")
    return presented


def _basic(authorization: str) -> _Presented:
    """HTTP Basic (RFC 7617) whose two context are form-encoded first (RFC 6749, section 2.3.1)."""
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
        raise _unknown_client("the Authorization header is no HTTP Basic") from None


def _check_grant(form: dict[str, str]) -> None:
    if "grant_type" not in form:
        raise _Refusal("invalid_request", "grant_type is missing: send client_credentials")
    if form["grant_type"] != "client_credentials":
        raise _Refusal("unsupported_grant_type", "the only grant type is client_credentials")
    if "scope" in form:
        raise _Refusal("invalid_scope", "there are no scopes: a client has roles")


def _unknown_client(description: str) -> _Refusal:
    return _Refusal("invalid_client", description, 401)


def _refused(refusal: _Refusal, address: str) -> JSONResponse:
    log().info("token.refused", error=refusal.error, address=address)
    challenge = _CHALLENGE if refusal.status == 401 else {}
    return JSONResponse(
        {"error": refusal.error, "error_description": str(refusal)},
        status_code=refusal.status,
        headers=_NO_STORE | challenge | refusal.headers,
    )

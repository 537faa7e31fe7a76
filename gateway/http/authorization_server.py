"""`/.well-known/oauth-authorization-server`: how clients get tokens here (RFC 8414)."""

from fastapi import APIRouter, Response
from pydantic import BaseModel

from gateway.http.context import Context
from gateway.http.problems import documented

router = APIRouter(tags=["tokens"])
SECONDS = 3600  # for which it may be kept


class AuthorizationServer(BaseModel):
    """Metadata of the authorization server (RFC 8414, section 2; RFC 8705, section 3.3)."""

    issuer: str
    token_endpoint: str
    jwks_uri: str
    grant_types_supported: list[str] = ["client_credentials"]
    response_types_supported: list[str] = []
    token_endpoint_auth_methods_supported: list[str] = [
        "client_secret_basic",
        "client_secret_post",
        "tls_client_auth",
        "self_signed_tls_client_auth",
    ]
    tls_client_certificate_bound_access_tokens: bool = True


@router.get("/.well-known/oauth-authorization-server", responses={500: documented(500)})
async def get_authorization_server(response: Response, context: Context) -> AuthorizationServer:
    """How to get an access token, for libraries (RFC 8414)."""
    response.headers["Cache-Control"] = f"public, max-age={SECONDS}"
    base = context.settings.url.rstrip("/")
    return AuthorizationServer(
        issuer=context.settings.url,
        token_endpoint=f"{base}/oauth/token",
        jwks_uri=f"{base}/.well-known/jwks.json",
    )

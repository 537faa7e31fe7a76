"""Access tokens: fetched on first use, renewed before they end."""

import asyncio
import time
from collections.abc import AsyncGenerator
from typing import Any
from urllib.parse import quote_plus

import httpx

from adapters.client.problem import Problem

MARGIN = 60.0  # seconds before the end; of short-lived tokens a fifth of their life


class ClientCredentials(httpx.Auth):
    """Puts a bearer token on every request (RFC 6749, section 4.4; RFC 6750)."""

    def __init__(self, url: str, client_id: str, client_secret: str) -> None:
        self._url = f"{url}/oauth/token"
        # Form-encoded first (RFC 6749, section 2.3.1), which an id or a secret rarely notices.
        self._login = httpx.BasicAuth(quote_plus(client_id), quote_plus(client_secret))
        self._token = ""
        self._until = 0.0
        self._fetching = asyncio.Lock()

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Fetch a token where there is none that lasts, and once more when it is refused."""
        refused = ""
        for _ in range(2):
            async with self._fetching:
                if self._token == refused or time.monotonic() >= self._until:
                    answer = yield self._request()
                    await answer.aread()
                    self._keep(answer)
                token = self._token
            request.headers["Authorization"] = f"Bearer {token}"
            response = yield request
            if response.status_code != httpx.codes.UNAUTHORIZED:
                return
            refused = token

    def _request(self) -> httpx.Request:
        form = {"grant_type": "client_credentials"}
        return next(self._login.auth_flow(httpx.Request("POST", self._url, data=form)))

    def _keep(self, response: httpx.Response) -> None:
        if not response.is_success:
            raise Problem.answered(response)
        body: dict[str, Any] = response.json()
        lasts = float(body["expires_in"])
        self._token = body["access_token"]
        self._until = time.monotonic() + lasts - min(MARGIN, lasts / 5)

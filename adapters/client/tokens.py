"""Access tokens: fetched at the first call, renewed before they expire."""

import asyncio
import time
from collections.abc import AsyncGenerator
from typing import Any
from urllib.parse import quote_plus

import httpx

from adapters.client.problem import Problem

MARGIN = 60.0  # seconds before a token expires; at most a fifth of its life


class ClientCredentials(httpx.Auth):
    """Puts a bearer token on every request (RFC 6749, section 4.4; RFC 6750)."""

    def __init__(self, url: str, client_id: str, client_secret: str) -> None:
        self._url = f"{url}/oauth/token"
        """Without a secret, the certificate of the connection stands for it (RFC 8705)."""
        self._form = {"grant_type": "client_credentials"}
        self._login: httpx.Auth = httpx.Auth()
        if client_secret:
            # RFC 6749, section 2.3.1 wants both form-encoded first.
            self._login = httpx.BasicAuth(quote_plus(client_id), quote_plus(client_secret))
        else:
            self._form["client_id"] = client_id  # RFC 8705, section 2
        self._token = ""
        self._renew_at = 0.0
        self._fetching = asyncio.Lock()

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Fetch a token if there is none that lasts, and once more if it is refused."""
        refused = ""
        for _ in range(2):
            async with self._fetching:
                if self._token == refused or time.monotonic() >= self._renew_at:
                    answer = yield self.request()
                    await answer.aread()
                    self.keep(answer)
                token = self._token
            request.headers["Authorization"] = f"Bearer {token}"
            response = yield request
            if response.status_code != httpx.codes.UNAUTHORIZED:
                return
            refused = token

    @property
    def token(self) -> str:
        """The token that was fetched last."""
        return self._token

    def request(self) -> httpx.Request:
        """The call that fetches a token."""
        request = httpx.Request("POST", self._url, data=self._form)
        return next(self._login.auth_flow(request))

    def keep(self, response: httpx.Response) -> None:
        """Use the token in an answer from now on. Raises Problem if there is none."""
        if not response.is_success:
            raise Problem.answered(response)
        body: dict[str, Any] = response.json()
        lifetime = float(body["expires_in"])
        self._token = body["access_token"]
        self._renew_at = time.monotonic() + lifetime - min(MARGIN, lifetime / 5)

"""A gateway of canned answers, for tests of the client library.

`tests/contract/test_client_answers.py` compares the canned answers with those of a real gateway.
"""

import json
from typing import Any

import httpx

from adapters.client import CallRetryPolicy, Nusabus

EVENT = {"source": "/sensor", "type": "id.go.bmkg.gempa.terdeteksi.v1", "data": {"magnitudo": 5.6}}
RECEIPT = {
    "id": "e1",
    "source": "/sensor",
    "shard": 2,
    "sequence": 7,
    "recordedtime": "2023-11-05T08:00:00.000000Z",
    "digest": "ab" * 32,
    "duplicate": False,
}
AT_ONCE = CallRetryPolicy(attempts=4, first_delay=0, longest_delay=0)

Answer = httpx.Response | Exception


def a_problem(status: int, code: str, **more: Any) -> httpx.Response:
    """An error as the gateway words it."""
    body = {
        "type": f"https://nusabus.go.id/problems/{code}",
        "title": code.capitalize(),
        "status": status,
        "detail": "Do something else.",
        **more,
    }
    return httpx.Response(
        status, content=json.dumps(body), headers={"content-type": "application/problem+json"}
    )


class Gateway:
    """Gives tokens t1, t2, ... and the canned answers, one after the other; keeps the requests."""

    def __init__(self, *answers: Answer, lasts: float = 600) -> None:
        self.requests: list[httpx.Request] = []
        self.logins: list[httpx.Request] = []
        self.tokens: list[str] = []  # of each request
        self._answers = list(answers)
        self._lasts = lasts

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth/token":
            self.logins.append(request)
            token = {"access_token": f"t{len(self.logins)}", "expires_in": self._lasts}
            return httpx.Response(200, json={"token_type": "Bearer", **token})
        self.requests.append(request)
        self.tokens.append(request.headers["authorization"])
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def bodies(self) -> list[Any]:
        """The JSON of each request."""
        return [json.loads(request.content) for request in self.requests]

    def bus(self, retry: CallRetryPolicy = AT_ONCE) -> Nusabus:
        """A client of this gateway."""
        transport = httpx.MockTransport(self)
        return Nusabus("http://bus/", "bmkg-1", "s&cret", retry=retry, transport=transport)


def accepted() -> httpx.Response:
    """The answer to a published event."""
    return httpx.Response(202, json=RECEIPT)


def a_stream(*frames: str) -> httpx.Response:
    """The answer to a stream that ends after these frames."""
    text = "".join(f"{frame}\n\n" for frame in frames)
    return httpx.Response(200, text=text, headers={"content-type": "text/event-stream"})


REQUEST_ID = "0123456789abcdef" * 2


def a_request_view(state: str = "answered", status: int = 200, **more: Any) -> httpx.Response:
    """The answer that shows a request."""
    body = {
        "id": REQUEST_ID,
        "type": EVENT["type"],
        "state": state,
        "deadline": "2026-05-04T08:00:00Z",
        "request": {"shard": 1, "sequence": 7},
        "reply": {"data": {"hasil": "COCOK"}} if state.startswith("answered") else None,
        "refused_replies": [],
    }
    return httpx.Response(status, json={**body, **more})

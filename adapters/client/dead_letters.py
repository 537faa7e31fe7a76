"""Deliveries that failed for good: look at them, send them again, correct, discard."""

import json
from collections.abc import Mapping
from typing import Any

from adapters.client.nusabus import Nusabus

PATH = "/v1/dead-letters"
REDRIVES = "/v1/redrives"
_JSON = {"content-type": "application/json"}
Document = dict[str, Any]


class DeadLetters:
    """The calls of `/v1/dead-letters` and `/v1/redrives`; bodies are those of the HTTP API.

    All but `redrive_all` may be repeated.
    """

    def __init__(self, bus: Nusabus) -> None:
        self._bus = bus

    async def find(self, **search: str) -> list[Document]:
        """Those that one may see, the oldest first; `subscription`, `type`, `failure`, `state`,
        `event`, `source`, `trace`, `died_from`, `died_before` choose among them."""
        return await self._bus.all(PATH, **search)

    async def show(self, number: int) -> Document:
        """One of them: each attempt, and the event with personal data masked."""
        return _document(await self._bus.call("GET", f"{PATH}/{number}"))

    async def redrive(self, number: int) -> bool:
        """Send it again to its subscription; whether it was dead still."""
        return bool((await self._bus.call("POST", f"{PATH}/{number}/redrive"))["changed"])

    async def discard(self, number: int, reason: str) -> bool:
        """Never send it again; whether it was dead still."""
        path, body = f"{PATH}/{number}/discard", {"reason": reason}
        return bool((await self._bus.call("POST", path, json=body))["changed"])

    async def resend(
        self,
        number: int,
        data: bytes | None = None,
        attributes: Mapping[str, str | int | bool | None] | None = None,
    ) -> Document:
        """Publish the corrected event: other data, as JSON text that is sent as it is, and other
        attributes, None to take one away. The receipt of the new event.

        Raises OutcomeUnknown where repeating did not settle it; the same call again does.
        """
        members = {"attributes": json.dumps(dict(attributes or {})).encode()}
        if data is not None:
            members["data"] = data
        body = b",".join(b'"%b":%b' % (name.encode(), text) for name, text in members.items())
        path = f"{PATH}/{number}/resend"
        return _document(
            await self._bus.settled(path, content=b"{%b}" % body, headers=_JSON, event=number)
        )

    async def redrive_all(self, rate: int = 50, **search: str) -> Document:
        """Begin to send all that match again, `rate` a second; the redrive."""
        return _document(await self._bus.call("POST", REDRIVES, json={**search, "rate": rate}))

    async def progress(self, redrive: str) -> Document:
        """How far a redrive has come."""
        return _document(await self._bus.call("GET", f"{REDRIVES}/{redrive}"))

    async def cancel(self, redrive: str) -> Document:
        """Send no more of it."""
        return _document(await self._bus.call("POST", f"{REDRIVES}/{redrive}/cancel"))


def _document(answer: Any) -> Document:
    return dict(answer)

"""Dead letters: find, redrive, resend, discard."""

import json
from collections.abc import Mapping
from typing import Any

from adapters.client.nusabus import Nusabus

PATH = "/v1/dead-letters"
REDRIVES = "/v1/redrives"
_JSON = {"content-type": "application/json"}
Document = dict[str, Any]


class DeadLetters:
    """The calls of `/v1/dead-letters` and `/v1/redrives`. Bodies are those of the HTTP API.

    All calls but `redrive_all` may be repeated.
    """

    def __init__(self, bus: Nusabus) -> None:
        self._bus = bus

    async def find(self, **search: str) -> list[Document]:
        """The dead letters that the client may see, the oldest first, filtered by
        `subscription`, `type`, `failure`, `state`, `event`, `source`, `trace`, `died_from` and
        `died_before`."""
        return await self._bus.all(PATH, **search)

    async def show(self, number: int) -> Document:
        """One dead letter: its attempts, and the event with personal data masked."""
        return _document(await self._bus.call("GET", f"{PATH}/{number}"))

    async def redrive(self, number: int) -> bool:
        """Deliver it to its subscription again. False if it was not dead any more."""
        return bool((await self._bus.call("POST", f"{PATH}/{number}/redrive"))["changed"])

    async def discard(self, number: int, reason: str) -> bool:
        """End it for good. False if it was not dead any more."""
        path, body = f"{PATH}/{number}/discard", {"reason": reason}
        return bool((await self._bus.call("POST", path, json=body))["changed"])

    async def resend(
        self,
        number: int,
        data: bytes | None = None,
        attributes: Mapping[str, str | int | bool | None] | None = None,
    ) -> Document:
        """Publish a corrected event and return its receipt.

        `data` is JSON text, sent byte by byte as it is. An attribute of None is removed. Raises
        OutcomeUnknown if no attempt was answered; make the same call again.
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
        """Start to redrive all that match, `rate` a second. Returns the redrive."""
        return _document(await self._bus.call("POST", REDRIVES, json={**search, "rate": rate}))

    async def progress(self, redrive: str) -> Document:
        """A redrive: its state and how many it has sent."""
        return _document(await self._bus.call("GET", f"{REDRIVES}/{redrive}"))

    async def cancel(self, redrive: str) -> Document:
        """Stop a redrive."""
        return _document(await self._bus.call("POST", f"{REDRIVES}/{redrive}/cancel"))


def _document(answer: Any) -> Document:
    return dict(answer)

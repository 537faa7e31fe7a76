"""RabbitMQ's management HTTP API: users and their rights, and a look at queues and bindings.

Users, rights and bindings are exact. The message counts of queues are statistics and may be some
5 to 10 seconds old; `Broker.depth` asks one queue itself.
"""

import asyncio
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from secrets import token_bytes
from types import TracebackType
from typing import Any
from urllib.parse import quote

import httpx

from gateway.base.errors import BrokerUnavailable, NotFound
from gateway.broker import names
from gateway.broker.address import credentials, management_url, virtual_host
from gateway.broker.outage import describe

PAGE = 500
"""Queues per request."""

_COLUMNS = "name,messages,messages_unacknowledged,consumers,state,arguments"
_NOTHING = "^$"
_PAUSES = (0.05, 0.1, 0.2, 0.4)  # seconds


class _Failed(BrokerUnavailable):
    """The API answered, with an error of its own."""


def hash_password(password: str) -> str:
    """The password as RabbitMQ keeps it: salted SHA-256 (its manual, "Passwords")."""
    salt = token_bytes(4)
    return b64encode(salt + sha256(salt + password.encode()).digest()).decode()


@dataclass(frozen=True, slots=True)
class QueueState:
    """A queue as the statistics have it."""

    messages: int | None
    """Ready and out with consumers together. None while the queue has reported nothing: for some
    seconds after it was declared or the broker started, and for good where it has no leader."""
    unacknowledged: int
    consumers: int
    state: str
    """`running`, or what is wrong: `down`, `minority`, `crashed`, `stopped`; or `unknown`."""
    arguments: Mapping[str, object]


class Management:
    """A client of the management API. Open it with `async with`.

    Every method raises BrokerUnavailable when the API is away; no request takes longer than
    `timeout` seconds.
    """

    def __init__(self, amqp_url: str, url: str | None = None, *, timeout: float = 10.0) -> None:
        """`url` is the API's base URL, derived from the AMQP URL when absent.

        Its user, else that of the AMQP URL, needs the tag `administrator`.
        """
        self._vhost = quote(virtual_host(amqp_url), safe="")
        base = httpx.URL(url or management_url(amqp_url))
        self._timeout = timeout
        self._http = httpx.AsyncClient(
            base_url=base.copy_with(username=None, password=None, path="/api"),
            auth=credentials(url if url and base.username else amqp_url),
            timeout=timeout,
            trust_env=False,
        )

    async def __aenter__(self) -> "Management":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections to the API."""
        await self._http.aclose()

    async def alive(self) -> bool:
        """True where the API answers and knows us."""
        try:
            await self._call("GET", "whoami")
        except BrokerUnavailable:
            return False
        return True

    async def create_user(self, name: str, password: str, *, queue: str) -> None:
        """A broker user that may read `queue` and nothing else, or a new password for it.

        It may consume, get, settle and so also purge that queue. RabbitMQ checks no right for a
        passive declare: the user can learn whether a queue exists and how many messages it has.
        """
        await self.provide_user(name, hash_password(password), queue=queue)

    async def provide_user(
        self, name: str, password_hash: str, *, queue: str, replies: bool = False
    ) -> None:
        """The same with a password known by its hash only, see `hash_password`.

        With `replies` it may also publish to the exchange of replies, with the name of its queue as
        the routing key and with no other.
        """
        user = {"password_hash": password_hash, "tags": ""}
        place = f"{self._vhost}/{quote(name, safe='')}"
        own = f"^{re.escape(queue)}$"
        await self._call("PUT", f"users/{quote(name, safe='')}", user)
        # Before the right to write: without a topic permission any routing key would be allowed.
        await self._call(
            "PUT",
            f"topic-permissions/{place}",
            {"exchange": names.REPLIES, "write": own if replies else _NOTHING, "read": _NOTHING},
        )
        write = f"^{re.escape(names.REPLIES)}$" if replies else _NOTHING
        await self._call(
            "PUT",
            f"permissions/{place}",
            {"configure": _NOTHING, "write": write, "read": own},
        )

    async def set_password(self, name: str, password: str) -> None:
        """Give a user a new password. Connections that are open stay open."""
        await self._call("PUT", f"users/{quote(name, safe='')}", {"password": password, "tags": ""})

    async def delete_user(self, name: str) -> None:
        """Delete a user; fine where there is none. Close its connections afterwards."""
        await self._call("DELETE", f"users/{quote(name, safe='')}", fine=httpx.codes.NOT_FOUND)

    async def close_connections(self, user: str) -> None:
        """Close all AMQP connections of a user; what it had not settled is ready again.

        The API fails (500) over a connection that closes by itself meanwhile, such as after the
        user was deleted, and may then have left others open: hence the repeats.
        """
        path = f"connections/username/{quote(user, safe='')}"
        for pause in _PAUSES:
            try:
                await self._call("DELETE", path, fine=httpx.codes.NOT_FOUND)
            except _Failed:
                await asyncio.sleep(pause)
            else:
                return
        await self._call("DELETE", path, fine=httpx.codes.NOT_FOUND)

    async def queues(self) -> Mapping[str, QueueState]:
        """Every queue of the virtual host by name, read in pages.

        A queue declared or deleted while the pages are read may be missing or still there.
        """
        found: dict[str, QueueState] = {}
        page, pages = 1, 1
        while page <= pages:
            answer = await self._call(
                "GET",
                f"queues/{self._vhost}?page={page}&page_size={PAGE}&sort=name&columns={_COLUMNS}",
                fine=httpx.codes.BAD_REQUEST if page > 1 else None,  # fewer pages by now
            )
            if answer is None:
                break
            found.update((item["name"], _queue_state(item)) for item in answer["items"])
            pages = answer["page_count"]
            page += 1
        return found

    async def bindings(self, exchange: str) -> frozenset[tuple[str, str]]:
        """(queue, key) of all that is bound to an exchange; none where there is no such one."""
        path = f"exchanges/{self._vhost}/{quote(exchange, safe='')}/bindings/source"
        return frozenset(
            (binding["destination"], binding["routing_key"])
            for binding in await self._call("GET", path)
            if binding["destination_type"] == "queue"
        )

    async def _call(
        self,
        method: str,
        path: str,
        body: Mapping[str, str] | None = None,
        *,
        fine: httpx.codes | None = None,
    ) -> Any:
        """One request. The answer's document; None for an empty one and for the status `fine`."""
        what = f"{method} /api/{path.partition('?')[0]} of RabbitMQ's management API"
        try:
            async with asyncio.timeout(self._timeout):
                response = await self._http.request(method, path, json=body)
        except (httpx.HTTPError, TimeoutError) as error:
            raise BrokerUnavailable(f"{what} failed: {describe(error)}") from error
        if response.status_code == fine:
            return None
        if response.status_code == httpx.codes.NOT_FOUND:
            raise NotFound(f"{what}: there is no such thing")
        if response.is_error:
            raise _Failed(f"{what} answered {response.status_code}")
        return response.json() if response.content else None


def _queue_state(item: Mapping[str, Any]) -> QueueState:
    return QueueState(
        messages=item.get("messages"),
        unacknowledged=item.get("messages_unacknowledged", 0),
        consumers=item.get("consumers", 0),
        state=item.get("state", "unknown"),
        arguments=item.get("arguments", {}),
    )

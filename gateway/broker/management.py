"""RabbitMQ's management HTTP API: users and their permissions; the state of queues and bindings.

Users, permissions and bindings are exact. The message counts of queues are statistics and may be 5
to 10 seconds old; `Broker.depth` asks one queue itself.
"""

import asyncio
import re
import ssl
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from secrets import token_bytes
from types import TracebackType
from typing import Any
from urllib.parse import quote

import httpx

from gateway.base.backoff import Backoff
from gateway.base.errors import BrokerUnavailable, NotFound
from gateway.base.hosts import each_host
from gateway.base.tls import Followed, client_context
from gateway.broker import names
from gateway.broker.address import credentials, management_url, tls_files, virtual_host
from gateway.broker.connecting import PER_HOST
from gateway.broker.errors import describe
from gateway.broker.queue_state import QueueState, queue_state

PAGE = 500
"""Queues per request."""

# Of one broker user, which is one subscription. One subscriber opened 1,500 connections: each costs
# the broker some 100 kB. Twenty are more than the processes of any consumer.
CONNECTIONS, CHANNELS = 20, 100

_COLUMNS = "name,messages,messages_unacknowledged,consumers,state,arguments,members,online,leader"
_NOTHING = "^$"
_RETRIES, _BACKOFF = 4, Backoff(0.05, 0.4)  # seconds


class _Failed(BrokerUnavailable):
    """The API answered with an error."""


def hash_password(password: str) -> str:
    """The password as RabbitMQ stores it: salted SHA-256 (its manual, "Passwords")."""
    salt = token_bytes(4)
    return b64encode(salt + sha256(salt + password.encode()).digest()).decode()


class Management:
    """A client of the management API. Open it with `async with`.

    Every method raises BrokerUnavailable when the API is away; no request takes longer than
    `timeout` seconds.
    """

    def __init__(self, amqp_url: str, url: str | None = None, *, timeout: float = 10.0) -> None:
        """`url` is the API's base URL, by default derived from the AMQP URL.

        Both may name several hosts: once one does not answer, the next is asked. The user of `url`,
        or else that of the AMQP URL, needs the tag `administrator`. The same holds for the files of
        TLS that a URL names. Raises UnusableFiles.
        """
        self._vhost = quote(virtual_host(amqp_url), safe="")
        hosts = each_host(url) if url else map(management_url, each_host(amqp_url))
        bases = [httpx.URL(host) for host in hosts]
        self._bases = [
            each.copy_with(username=None, password=None, raw_path=b"/api") for each in bases
        ]
        self._present = 0
        self._timeout = timeout
        self._credentials = credentials(url if url and bases[0].username else amqp_url)
        files = tls_files(url or "")
        self._tls = Followed(files if files.paths else tls_files(amqp_url), client_context)
        self._http = self._client(self._tls.current())

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
        """Whether the API answers and accepts our credentials."""
        try:
            await self._call("GET", "whoami")
        except BrokerUnavailable:
            return False
        return True

    async def provide_user(
        self, name: str, password_hash: str, *, queue: str, replies: bool = False
    ) -> None:
        """Create a broker user that may read only `queue`, or set its password.

        It may consume, get, settle and therefore also purge that queue. RabbitMQ checks no
        permission for a passive declare: the user can learn whether any queue exists and how many
        messages it holds. `password_hash` is made by `hash_password`; open connections stay open.

        With `replies` it may also publish to the exchange of replies, but only with the name of its
        queue as the routing key.
        """
        user = {"password_hash": password_hash, "tags": ""}
        await self._call("PUT", f"users/{quote(name, safe='')}", user)
        for limit, value in (("max-connections", CONNECTIONS), ("max-channels", CHANNELS)):
            path = f"user-limits/{quote(name, safe='')}/{limit}"
            await self._call("PUT", path, {"value": value})
        await self.permit(name, queue=queue, replies=replies)

    async def permit(self, name: str, *, queue: str, replies: bool) -> None:
        """Give a user its permissions, see `provide_user`."""
        path = f"{self._vhost}/{quote(name, safe='')}"
        own = f"^{re.escape(queue)}$"
        # Before the permission to write: without a topic permission any routing key is allowed.
        await self._call(
            "PUT",
            f"topic-permissions/{path}",
            {"exchange": names.REPLIES, "write": own if replies else _NOTHING, "read": _NOTHING},
        )
        write = f"^{re.escape(names.REPLIES)}$" if replies else _NOTHING
        await self._call(
            "PUT",
            f"permissions/{path}",
            {"configure": _NOTHING, "write": write, "read": own},
        )

    async def withdraw_permissions(self, name: str) -> None:
        """Take a user's permissions: it cannot connect any more. Close its connections afterwards.

        Its topic permissions stay, so that it never has more than before.
        """
        path = f"permissions/{self._vhost}/{quote(name, safe='')}"
        await self._delete(path)

    async def users(self) -> set[str]:
        """Every user of the broker."""
        return {item["name"] for item in await self._call("GET", "users?columns=name")}

    async def permitted_users(self) -> set[str]:
        """The users that may connect to the virtual host."""
        path = f"vhosts/{self._vhost}/permissions"
        return {item["user"] for item in await self._call("GET", path)}

    async def delete_user(self, name: str) -> None:
        """Delete a user, if it exists. Close its connections afterwards."""
        await self._delete(f"users/{quote(name, safe='')}")

    async def close_connections(self, user: str) -> None:
        """Close all AMQP connections of a user; messages that it has not settled are ready again.

        The API fails if a connection closes by itself meanwhile, and may then leave others open.
        """
        await self._delete(f"connections/username/{quote(user, safe='')}")

    async def queues(self) -> Mapping[str, QueueState]:
        """Every queue of the virtual host by name, read in pages.

        A queue that is declared or deleted meanwhile may be missing or still included.
        """
        found: dict[str, QueueState] = {}
        page, pages = 1, 1
        while page <= pages:
            answer = await self._call(
                "GET",
                f"queues/{self._vhost}?page={page}&page_size={PAGE}&sort=name&columns={_COLUMNS}",
                fine=httpx.codes.BAD_REQUEST if page > 1 else None,  # there are fewer pages now
            )
            if answer is None:
                break
            found.update((item["name"], queue_state(item)) for item in answer["items"])
            pages = answer["page_count"]
            page += 1
        return found

    async def running_nodes(self) -> frozenset[str]:
        """The nodes of the cluster that run, as far as the node that answers can see."""
        nodes = await self._call("GET", "nodes?columns=name,running")
        return frozenset(node["name"] for node in nodes if node.get("running"))

    async def bindings(self, exchange: str) -> frozenset[tuple[str, str]]:
        """(queue, key) of every queue bound to an exchange; empty if there is no such exchange."""
        path = f"exchanges/{self._vhost}/{quote(exchange, safe='')}/bindings/source"
        return frozenset(
            (binding["destination"], binding["routing_key"])
            for binding in await self._call("GET", path)
            if binding["destination_type"] == "queue"
        )

    def _client(self, tls: ssl.SSLContext) -> httpx.AsyncClient:
        self._shown = tls
        return httpx.AsyncClient(
            auth=self._credentials,
            timeout=httpx.Timeout(self._timeout, connect=min(self._timeout, PER_HOST)),
            verify=tls,
            trust_env=False,
        )

    async def _present_client(self) -> httpx.AsyncClient:
        """The client; a new one when the files of TLS have changed."""
        if (tls := self._tls.current()) is not self._shown:
            before, self._http = self._http, self._client(tls)
            await before.aclose()
        return self._http

    async def note(self, text: str) -> None:
        """Keep a text at the broker, on disk and on every node, in place of the one before."""
        await self._call("PUT", self._note, {"value": text})

    async def noted(self) -> str | None:
        """The text that was kept last, or None."""
        try:
            return str((await self._call("GET", self._note))["value"])
        except NotFound:
            return None

    @property
    def _note(self) -> str:
        return f"global-parameters/{names.WITNESS}-{self._vhost}"

    async def _delete(self, path: str) -> None:
        """Delete what may be gone already.

        The API answers 500 where another has deleted a part of it just now, so the call is
        repeated.
        """
        for attempt in range(1, _RETRIES + 1):
            try:
                await self._call("DELETE", path, fine=httpx.codes.NOT_FOUND)
            except _Failed:
                await asyncio.sleep(_BACKOFF.delay(attempt))
            else:
                return
        await self._call("DELETE", path, fine=httpx.codes.NOT_FOUND)

    async def _request(
        self, method: str, path: str, body: Mapping[str, str | int] | None
    ) -> httpx.Response:
        """Ask the present host, then the others, each once: every request may be repeated."""
        left = len(self._bases)
        while True:
            left -= 1
            url = f"{self._bases[self._present]}/{path}"
            try:
                return await (await self._present_client()).request(method, url, json=body)
            except BaseException as error:
                self._present = (self._present + 1) % len(self._bases)
                if not left or not isinstance(error, httpx.TransportError | ssl.SSLError):
                    raise

    async def _call(
        self,
        method: str,
        path: str,
        body: Mapping[str, str | int] | None = None,
        *,
        fine: httpx.codes | None = None,
    ) -> Any:
        """Send one request; return the answer's JSON, None if it is empty or has status `fine`."""
        call = f"{method} /api/{path.partition('?')[0]} of RabbitMQ's management API"
        try:
            async with asyncio.timeout(self._timeout):
                response = await self._request(method, path, body)
        except (httpx.HTTPError, TimeoutError, ssl.SSLError) as error:
            raise BrokerUnavailable(f"{call} failed: {describe(error)}") from error
        if response.status_code == fine:
            return None
        if response.status_code == httpx.codes.NOT_FOUND:
            raise NotFound(f"{call}: not found")
        if response.is_error:
            raise _Failed(f"{call} answered {response.status_code}")
        return response.json() if response.content else None

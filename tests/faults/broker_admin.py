"""The broker's management API, as used by an administrator who breaks things."""

import asyncio
import time
from collections import Counter
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import aio_pika
import httpx
from aiormq.exceptions import ChannelNotFoundEntity

SILENCE = 15.0  # seconds until a request counts as lost
PATIENCE = 60.0  # seconds in which a node has to answer


class BrokerAdmin:
    """One virtual host, past the gateway."""

    def __init__(self, management_url: str, amqp_url: str, vhost: str) -> None:
        parts = urlsplit(management_url)
        login = (parts.username or "", parts.password or "")
        self._http = httpx.AsyncClient(
            base_url=f"http://{parts.hostname}:{parts.port}/api",
            auth=login,
            timeout=SILENCE,
            trust_env=False,
        )
        self._user = login[0]
        self._vhost = vhost
        self.amqp_url = urlunsplit(urlsplit(amqp_url)._replace(path=f"/{vhost}"))

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def make_vhost(self) -> None:
        """The virtual host, open to the broker's administrator."""
        await self._call("PUT", f"vhosts/{self._vhost}", {})
        await self._call(
            "PUT",
            f"permissions/{self._vhost}/{self._user}",
            {"configure": ".*", "write": ".*", "read": ".*"},
        )

    async def delete_vhost(self) -> None:
        """The virtual host with all that is in it, and the users of its subscriptions."""
        await self._call("DELETE", f"vhosts/{self._vhost}")
        for user in await self._call("GET", "users"):
            if user["name"].startswith("sub."):
                await self._call("DELETE", f"users/{user['name']}")

    async def delete_queue(self, queue: str) -> int:
        """Delete a queue with all that it holds; returns how many messages were ready in it."""
        async with await aio_pika.connect(self.amqp_url) as connection:
            channel = await connection.channel()
            return (await channel.queue_delete(queue)).message_count or 0

    async def delete_binding(self, exchange: str, queue: str, key: str) -> None:
        """Delete a binding."""
        path = f"bindings/{self._vhost}/e/{exchange}/q/{queue}/{quote(key, safe='')}"
        await self._call("DELETE", path)

    async def delete_exchange(self, exchange: str) -> None:
        """Delete an exchange with its bindings."""
        await self._call("DELETE", f"exchanges/{self._vhost}/{exchange}")

    async def limit(self, queue: str, messages: int) -> None:
        """Let a queue hold no more than this, by a policy: `overflow` is the queue's own."""
        await self._call(
            "PUT",
            f"policies/{self._vhost}/full",
            {
                "pattern": f"^{queue.replace('.', '[.]')}$",
                "definition": {"max-length": messages},
                "apply-to": "queues",
            },
        )

    async def alarmed(self) -> bool:
        """Whether the memory or the disk alarm is on."""
        nodes = await self._call("GET", "nodes")
        return any(node.get("mem_alarm") or node.get("disk_free_alarm") for node in nodes)

    async def degraded(self) -> list[str]:
        """The quorum queues that have no leader, or whose members are not all online."""
        shown = await self._call("GET", f"queues/{self._vhost}?columns=name,members,online,leader")
        return [
            each["name"]
            for each in shown
            if (members := each.get("members"))
            and (not each.get("leader") or len(each.get("online", ())) < len(members))
        ]

    async def queues(self) -> set[str]:
        """The queues of subscriptions that the broker knows, whether they can work or not."""
        shown = await self._call("GET", f"queues/{self._vhost}?columns=name")
        return {each["name"] for each in shown if each["name"].startswith("sub.")}

    async def leaders(self) -> Counter[str]:
        """How many queues each node leads."""
        shown = await self._call("GET", f"queues/{self._vhost}?columns=name,leader")
        return Counter(each["leader"] for each in shown if each.get("leader"))

    async def ready(self, queue: str) -> int | None:
        """Messages ready in a queue, asked of itself; None where it does not exist."""
        async with await aio_pika.connect(self.amqp_url) as connection:
            channel = await connection.channel()
            try:
                found = await channel.declare_queue(queue, passive=True)
            except ChannelNotFoundEntity:
                return None
            return found.declaration_result.message_count or 0

    async def _call(self, method: str, path: str, body: Any = None) -> Any:
        """Call the API, again while a node that starts or has ended does not answer."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                response = await self._http.request(method, path, json=body)
                break
            except httpx.TransportError:
                if time.monotonic() > deadline:
                    raise
            await asyncio.sleep(0.2)
        if response.status_code == httpx.codes.NOT_FOUND and method == "DELETE":
            return None
        response.raise_for_status()
        return response.json() if response.content else None

"""A whole Nusabus for tests: its processes, and the clients that call it."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from deploy.local.gateway import GatewayProcess, carry_out
from deploy.local.ports import LOOPBACK, free_port
from gateway.identity.quota_values import CONCURRENT, RATES
from tests.builders import a_document, a_name
from tests.forked import spawn
from tests.readers import Received, receive
from tests.servers import METRICS_TOKEN, SECRET_KEY, as_owner, query
from tests.waiting import eventually

STRUCTURED = {"content-type": "application/cloudevents+json"}
BATCHED = {"content-type": "application/cloudevents-batch+json"}


class Bus:
    """Gateway processes on a database and a virtual host of their own; killed at the end."""

    def __init__(
        self,
        folder: Path,
        database_url: str,
        amqp_url: str,
        management_url: str,
        admin: tuple[str, str],
        **settings: str,
    ) -> None:
        """`admin` is the administrator's id and secret; the settings are environment variables."""
        (folder / "log").mkdir(parents=True)
        self.folder, self.database_url, self.amqp_url = folder, database_url, amqp_url
        self.port = free_port()
        self.environ = {
            "NUSABUS_DATABASE_URL": database_url,
            "NUSABUS_AMQP_URL": amqp_url,
            "NUSABUS_MANAGEMENT_URL": management_url,
            "NUSABUS_SECRET_KEY": SECRET_KEY,
            "NUSABUS_METRICS_TOKEN": METRICS_TOKEN,
            "NUSABUS_PORT": str(self.port),
            "NUSABUS_LEASE_SECONDS": "2",
            "NUSABUS_QUEUE_STATISTICS_DELAY": "12",  # the broker's statistics are 5 seconds old
            # Tests share organisations; those of quotas set their own.
            **{f"NUSABUS_QUOTA_{each.upper()}": str(10**9) for each in (*RATES, *CONCURRENT)},
            **settings,
        }
        self.http = httpx.Client(base_url=f"http://{LOOPBACK}:{self.port}", timeout=60)
        self.processes: list[GatewayProcess] = []
        self.admin = Actor(self, "nusabus", *admin)
        self._actors: dict[tuple[str, ...], Actor] = {}

    def __enter__(self) -> "Bus":
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            process.kill()
        self.http.close()

    def end_queues(self) -> None:
        """End every subscription over AMQP: each event would go to all of them from now on."""
        for organisation, name in self.query(
            "SELECT organisation, name FROM subscriptions WHERE delivery = 'amqp'"
        ):
            self.actor(organisation).delete(f"/v1/subscriptions/{name}").raise_for_status()

    def metrics(self) -> str:
        """What Prometheus reads of an api process."""
        headers = {"authorization": f"Bearer {METRICS_TOKEN}"}
        return httpx.get(f"{self.http.base_url}/metrics", headers=headers).text

    def start(self, command: str, **settings: str) -> GatewayProcess:
        """One more process, `api` or `relay`."""
        name = f"{command}-{len(self.processes)}"
        process = GatewayProcess(
            name, command, run=self.folder, environ={**self.environ, **settings}, spawn=spawn
        )
        process.start()
        self.processes.append(process)
        return process

    def run(self, *commands: str) -> "Bus":
        """Start processes and wait until the api answers."""
        for command in commands:
            self.start(command)
        self.wait_ready()
        return self

    def carry_out(self, *arguments: str) -> str:
        """Run `python -m gateway <arguments>` to its end."""
        return asyncio.run(carry_out(*arguments, run=self.folder, environ=self.environ))

    def wait_ready(self) -> None:
        """Until the api answers."""
        eventually(lambda: self.answers("/health/ready") == httpx.codes.OK)

    def answers(self, path: str) -> int:
        """The status of a GET, 0 where nobody answers."""
        try:
            return self.http.get(path).status_code
        except httpx.TransportError:
            return 0

    def logs(self) -> str:
        """All that the processes have written."""
        return "".join(process.log.read_text() for process in self.processes)

    def query(self, statement: str, *arguments: Any) -> Sequence[Any]:
        """Rows from the database of this bus, or a change behind its back, as the owner."""
        return query(as_owner(self.database_url), statement, *arguments)

    def actor(self, organisation: str, *roles: str) -> "Actor":
        """A client, the same one each time; it publishes and subscribes if nothing is said."""
        key = (organisation, *(roles or ("publisher", "subscriber")))
        if key not in self._actors:
            body = {"organisation": organisation, "title": "A test's", "roles": key[1:]}
            made = self.admin.post("/v1/clients", json=body).raise_for_status().json()
            secret = self.admin.post(f"/v1/clients/{made['id']}/secrets").raise_for_status()
            self._actors[key] = Actor(self, organisation, made["id"], secret.json()["secret"])
        return self._actors[key]

    def grant(self, organisation: str, action: str, type: str) -> str:
        """Grant a right; returns the path under which it can be revoked."""
        body = {"action": action, "type": type}
        answer = self.admin.post(f"/v1/organisations/{organisation}/grants", json=body)
        assert answer.status_code == httpx.codes.CREATED, answer.text
        return answer.headers["location"]


TOKEN_SECONDS = 240.0  # of the 600 that a token lives: a slow run must not outlive it
MakeBus = Callable[..., Bus]


@dataclass
class Actor:
    """A client of an organisation and what it does."""

    bus: Bus
    organisation: str
    id: str
    secret: str = field(repr=False)
    _headers: dict[str, str] = field(default_factory=dict, repr=False)
    _renew_at: float = 0.0

    @property
    def headers(self) -> dict[str, str]:
        """The Authorization header, with a token that has most of its life before it."""
        if time.monotonic() > self._renew_at:
            answer = self.bus.http.post(
                "/oauth/token",
                data={"grant_type": "client_credentials"},
                auth=(self.id, self.secret),
            )
            token = answer.raise_for_status().json()["access_token"]
            self._headers = {"authorization": f"Bearer {token}"}
            self._renew_at = time.monotonic() + TOKEN_SECONDS
        return self._headers

    def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        """One request in this client's name."""
        headers = {**self.headers, **more.pop("headers", {})}
        return self.bus.http.request(method, path, headers=headers, **more)

    def get(self, path: str, **more: Any) -> httpx.Response:
        """GET."""
        return self.call("GET", path, **more)

    def post(self, path: str, **more: Any) -> httpx.Response:
        """POST."""
        return self.call("POST", path, **more)

    def delete(self, path: str, **more: Any) -> httpx.Response:
        """DELETE."""
        return self.call("DELETE", path, **more)

    def publish(self, event: Mapping[str, Any] | bytes, **headers: str) -> httpx.Response:
        """Publish one event in structured mode."""
        content = event if isinstance(event, bytes) else json.dumps(event)
        return self.post("/v1/events", content=content, headers={**STRUCTURED, **headers})

    def published(self, **changes: Any) -> str:
        """Publish an event that must be accepted; its id."""
        event = a_document(**{"source": f"/{self.organisation}", **changes})
        answer = self.publish(event)
        assert answer.status_code == httpx.codes.ACCEPTED, answer.text
        return str(event["id"])

    def ask(
        self, event: Mapping[str, Any] | bytes, *, wait: float = 0, query: str = ""
    ) -> httpx.Response:
        """Ask a request in structured mode."""
        content = event if isinstance(event, bytes) else json.dumps(event)
        headers = {**STRUCTURED, **({"prefer": f"wait={wait:g}"} if wait else {})}
        return self.post(f"/v1/requests{query}", content=content, headers=headers)

    def answer(self, id: str, event: Mapping[str, Any] | bytes) -> httpx.Response:
        """Answer a request over HTTP."""
        content = event if isinstance(event, bytes) else json.dumps(event)
        return self.post(f"/v1/requests/{id}/reply", content=content, headers=STRUCTURED)

    def publish_batch(
        self, events: Sequence[Any] | bytes, *, atomic: bool = False
    ) -> httpx.Response:
        """Publish events in batch mode."""
        content = events if isinstance(events, bytes) else json.dumps(events)
        query = "?atomic=true" if atomic else ""
        return self.post(f"/v1/events{query}", content=content, headers=BATCHED)

    def put_subscription(self, name: str, *types: str, **more: Any) -> httpx.Response:
        """Ask for a subscription."""
        return self.call("PUT", f"/v1/subscriptions/{name}", json={"types": types, **more})

    def subscribe(self, *types: str, active: bool = True, **more: Any) -> "Subscribed":
        """Make a subscription of a new name, and wait until it is active."""
        name = more.pop("name", None) or a_name()
        answer = self.put_subscription(name, *types, **more)
        assert answer.status_code == httpx.codes.CREATED, answer.text
        made = Subscribed(self, name, answer.json()["queue"], answer.json()["amqp_url"])
        if active:
            made.wait("active")
        return made


@dataclass
class Subscribed:
    """A subscription and its reader."""

    by: Actor
    name: str
    queue: str
    url: str

    def show(self) -> dict[str, Any]:
        """As the gateway shows it now."""
        shown: dict[str, Any] = self.by.get(f"/v1/subscriptions/{self.name}").json()
        return shown

    def wait(self, state: str, repairs: int = 0) -> None:
        """Until it is in a state, after so many repairs."""
        eventually(
            lambda: (shown := self.show())["state"] == state and shown["repair_count"] >= repairs
        )

    def take(self, count: int, seconds: float = 60) -> list[Received]:
        """The next messages, acknowledged. Fails when they do not come."""
        return asyncio.run(receive(self.url, self.queue, count, seconds))

    def take_until(self, enough: Callable[[set[str]], bool], seconds: float = 90) -> list[Received]:
        """The next messages, acknowledged, until the ids of all of them are enough."""
        return asyncio.run(receive(self.url, self.queue, None, seconds, enough))

    def end(self) -> int:
        """Delete it; how much it still held."""
        answer = self.by.delete(f"/v1/subscriptions/{self.name}")
        assert answer.status_code == httpx.codes.OK, answer.text
        held: int = answer.json()["discarded_messages"]
        return held

"""What OpenAPI says of every operation holds for requests that nobody would write by hand."""

import random
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import schemathesis
import schemathesis.specs.openapi.schemas  # in a test, its import is too deep
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.builders import FREE, a_document
from tests.bus import Actor, Bus, MakeBus
from tests.integration.contracts.registration import a_type, register, wider
from tests.servers import METRICS_TOKEN

EXAMPLES = 30  # of each kind for each operation
CHECKS = [status_code_conformance, content_type_conformance, response_schema_conformance]
ROLES = ("admin", "auditor", "publisher", "subscriber")
OPERATOR = ("/v1/organisations", "/v1/signing-keys")  # operations for the operator alone


@pytest.fixture(scope="module")
def bus(make_bus: MakeBus) -> Iterator[Bus]:
    """A bus of its own, because these requests leave much behind."""
    with make_bus() as bus:
        yield bus.run("api", "relay")


class Requests:
    """Makes generated requests reach something: half of their parameters name what exists."""

    def __init__(self, bus: Bus) -> None:
        self.bus, self.seen = bus, set[str]()
        self.actor = bus.actor("uji", *ROLES)
        self._random = random.Random(7)  # the same requests in every run
        types = [a_type() for _ in range(3)]
        for type in types:
            register(bus.actor("uji", "admin"), type)
            path = f"/v1/contracts/{type}/versions"
            self.actor.post(path, json={"schema": wider()}, headers={"if-match": "*"})
        receipt = self.actor.publish(a_document()).raise_for_status().json()
        self.actor.put_subscription("pull", FREE, delivery="pull").raise_for_status()
        self.actor.put_subscription("amqp", FREE).raise_for_status()
        spare = {"organisation": "uji", "title": "A spare client", "roles": ["publisher"]}
        client = self.actor.post("/v1/clients", json=spare).raise_for_status().json()
        self._known: dict[str, list[Any]] = {
            "type": types,
            "version": [1, 2, 3],
            "shard": [receipt["shard"]],
            "sequence": [receipt["sequence"]],
            "id": [client["id"], "0" * 32],
            "number": [1, 2],
        }

    def names(self, path: str) -> list[str]:
        """Names for a path: of subscriptions, or of organisations."""
        return ["pull", "amqp"] if path.startswith("/v1/subscriptions") else ["uji", "lain"]

    def call(self, case: Any) -> None:
        """Send one request, and hold the answer to the document."""
        path = case.path
        known = {**self._known, "name": self.names(path)}
        for name in case.path_parameters or {}:
            if name in known and self._random.random() < 0.7:
                case.path_parameters[name] = self._random.choice(known[name])
        if isinstance(case.body, dict) and "wait" in case.body:
            case.body["wait"] = 0
        answer = case.call(headers=self._headers(path))
        assert answer.status_code != 500, (case.as_curl_command(), answer.text)
        case.validate_response(answer, checks=CHECKS)
        self.seen.add(f"{case.method} {path}")

    def _headers(self, path: str) -> dict[str, str]:
        if path == "/oauth/token":
            return {}
        if path == "/metrics":
            return {"authorization": f"Bearer {METRICS_TOKEN}"}
        actor: Actor = self.bus.admin if path.startswith(OPERATOR) else self.actor
        return {**actor.headers, "If-Match": self._random.choice(("*", '"1"'))}


def operations(bus: Bus) -> Iterator[Any]:
    """Every operation that the running gateway describes."""
    schema = schemathesis.openapi.from_dict(bus.http.get("/openapi.json").json())
    schema.config.update(base_url=str(bus.http.base_url))
    for result in schema.get_all_operations():
        assert isinstance(result, Ok), result
        yield result.ok()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mode", list(GenerationMode), ids=str)
def test_no_answer_is_a_surprise(bus: Bus, mode: GenerationMode) -> None:
    """Documented statuses, media types and bodies only, and never a defect."""
    requests = Requests(bus)
    described = list(operations(bus))
    for operation in described:
        limits = settings(
            max_examples=EXAMPLES,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        with suppress(Unsatisfiable):  # without parameters and body nothing can be made wrong
            limits(given(case=operation.as_strategy(generation_mode=mode))(requests.call))()
    assert len(requests.seen) > 70
    assert "http.request_crashed" not in bus.logs()

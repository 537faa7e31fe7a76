"""What OpenAPI says of `/v1/contracts` holds for requests that nobody would write by hand."""

import random
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.bus import Bus
from tests.integration.contracts.registration import a_type, register, wider

EXAMPLES = 6  # of each kind for each operation
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


def operations(bus: Bus) -> Iterator[Any]:
    """Every operation on contracts that the running gateway describes."""
    document = bus.http.get("/openapi.json").json()
    document["paths"] = {
        path: operations
        for path, operations in document["paths"].items()
        if path.startswith("/v1/contracts") or path.endswith("/contract-defaults")
    }
    schema = schemathesis.openapi.from_dict(document)
    schema.config.update(base_url=str(bus.http.base_url))
    for result in schema.get_all_operations():
        assert isinstance(result, Ok), result
        yield result.ok()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mode", list(GenerationMode), ids=str)
def test_no_answer_is_a_surprise(bus: Bus, mode: GenerationMode) -> None:
    """Documented statuses, media types and bodies only, and never a defect."""
    by = bus.actor("uji", "admin")
    known = [a_type() for _ in range(3)]
    for type in known:
        register(by, type)
        path = f"/v1/contracts/{type}/versions"
        by.post(path, json={"schema": wider()}, headers={"if-match": "*"})
    chosen = random.Random(7)  # the same requests in every run
    seen = 0

    def call(case: Any) -> None:
        nonlocal seen
        parameters = case.path_parameters
        if "type" in parameters and chosen.random() < 0.7:
            parameters["type"] = chosen.choice(known)
            for name in {"version", "number"} & parameters.keys():
                parameters[name] = chosen.choice((1, 2, 3))
        headers = {**by.headers, "If-Match": chosen.choice(("*", '"1"'))}
        case.call_and_validate(headers=headers, checks=CHECKS)
        seen += 1

    for operation in operations(bus):
        strategy = operation.as_strategy(generation_mode=mode)
        limits = settings(
            max_examples=EXAMPLES,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        limits(given(case=strategy)(call))()
    assert seen > 50

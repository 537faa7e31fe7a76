"""Requests of strangers: nothing but their headers is read."""

import json

import pytest

from tests.bus import Bus
from tests.integration.access import ACCESS, ANYONE
from tests.integration.test_access import VALUES
from tests.wire import Wire, request

UNSENT = str(1 << 20)  # bytes of a body of which no byte is sent


PROTECTED = [
    route for route, roles in ACCESS.items() if ANYONE not in roles and not route.startswith("GET")
]


@pytest.mark.parametrize("route", PROTECTED)
def test_a_body_is_not_waited_for_before_the_client_is_known(bus: Bus, route: str) -> None:
    method, _, path = route.partition(" ")
    for name, value in VALUES.items():
        path = path.replace(f"{{{name}}}", value)
    forged = {"authorization": "Bearer eyJhbGciOiJub25lIn0.e30."}
    for token in ({}, forged):
        with Wire(bus.port) as wire:
            wire.send(request(method, path, b"", content_length=UNSENT, **token))
            answer = wire.reply()
    assert answer.status == 401
    assert json.loads(answer.body)["type"].endswith("/not-authenticated")


def test_a_stranger_is_not_asked_to_go_on(bus: Bus) -> None:
    """`Expect: 100-continue` is answered with 401, not with an invitation to send the body."""
    with Wire(bus.port) as wire:
        wire.send(request("POST", "/v1/events", content_length=UNSENT, expect="100-continue"))
        assert wire.reply().status == 401

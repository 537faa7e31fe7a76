"""Who is let in among those whose private key every message carries."""

from typing import cast

import pytest

from gateway.journal import Lead
from gateway.relay import joining
from gateway.relay.context import RelayContext
from gateway.relay.joining import Joining
from gateway.subscriptions.routing import private_key
from tests.builders import a_subscription


def test_who_does_not_fit_a_header_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two, three = (a_subscription(name=name) for name in ("satu", "duaa", "tiga"))
    monkeypatch.setattr(joining, "JOINED_BYTES", 2 * len(private_key(one)))
    found = Joining(
        cast(Lead, None),
        cast(RelayContext, None),
        read=lambda: 0,
        arrived=lambda: None,
        joined=lambda: None,
    )
    found._joined = {one.key: one}
    assert found._has_room_for(two)
    found._joined[two.key] = two
    assert not found._has_room_for(three)
    found.forget([one.key])
    assert found._has_room_for(three)

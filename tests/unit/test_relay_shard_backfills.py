"""Which subscriptions may join: their private keys must fit the header of every message."""

from typing import cast

import pytest

from gateway.journal import ShardLease
from gateway.relay import shard_backfills
from gateway.relay.context import RelayContext
from gateway.relay.shard_backfills import ShardBackfills
from gateway.subscriptions.routing import private_key
from tests.builders import a_subscription


def test_a_key_that_does_not_fit_the_header_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two, three = (a_subscription(name=name) for name in ("satu", "duaa", "tiga"))
    monkeypatch.setattr(shard_backfills, "JOINED_BYTES", 2 * len(private_key(one)))
    found = ShardBackfills(
        cast(ShardLease, None),
        cast(RelayContext, None),
        read=lambda: 0,
        on_near=lambda: None,
        on_joined=lambda: None,
    )
    found._joined = {one.key: one}
    assert found._fits_header(two)
    found._joined[two.key] = two
    assert not found._fits_header(three)
    found.remove_joined([one.key])
    assert found._fits_header(three)

"""Hosts in every spelling, as the name service of this machine reads them: judged all the same."""

import pytest

from gateway.delivery.webhook.addresses import AddressPolicy, AddressProhibited
from gateway.delivery.webhook.guarded_network import GuardedBackend
from gateway.delivery.webhook.resolver import Resolver


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0.0.1", "0177.0.0.1",
        "017700000001", "0", "0.0.0.0", "10.1", "0xa9fea9fe", "2852039166", "::1", "::",
        "::ffff:127.0.0.1", "::ffff:7f00:1", "64:ff9b::7f00:1", "2002:7f00:1::", "fe80::1%1",
        "::1%1", "localhost",
    ],
)  # fmt: skip
async def test_what_this_machine_makes_of_a_host_is_checked(host: str) -> None:
    guarded = GuardedBackend(AddressPolicy(), secure=True, resolve=Resolver().of("uji"))
    with pytest.raises(AddressProhibited):
        await guarded.connect_tcp(host, 443)

"""Who acts in the tests of contracts."""

import pytest

from tests.bus import Actor, Bus


@pytest.fixture
def admin(bus: Bus) -> Actor:
    """An administrator of the organisation that the tests are about."""
    return bus.actor("uji", "admin")


@pytest.fixture
def other(bus: Bus) -> Actor:
    """Another administrator of the same organisation."""
    return bus.actor("uji", "admin", "auditor")


@pytest.fixture
def uji(bus: Bus) -> Actor:
    """A publisher of that organisation, which subscribes as well."""
    return bus.actor("uji")

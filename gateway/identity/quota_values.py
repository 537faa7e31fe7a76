"""Quotas: what an organisation, and each of its clients, may use of the bus.

The defaults are settings. `gateway.quotas` holds rates and what is in progress to them; what is
counted is checked by the room that stores it.
"""

from collections.abc import Mapping
from enum import StrEnum

from gateway.base.errors import Conflict
from gateway.base.settings import Settings


class Quota(StrEnum):
    """What is limited."""

    EVENTS = "events"
    BYTES = "bytes"
    REFUSALS = "refusals"
    CHECKS = "checks"
    IN_FLIGHT = "in_flight"
    STREAMS = "streams"
    LONG_POLLS = "long_polls"
    CLIENTS = "clients"
    GRANTS = "grants"
    CONTRACTS = "contracts"
    SUBSCRIPTIONS = "subscriptions"
    REDRIVES = "redrives"


RATES = (Quota.EVENTS, Quota.BYTES, Quota.REFUSALS, Quota.CHECKS)  # a second
CONCURRENT = (Quota.IN_FLIGHT, Quota.STREAMS, Quota.LONG_POLLS)  # at the same time
COUNTED = (Quota.CLIENTS, Quota.GRANTS, Quota.CONTRACTS, Quota.SUBSCRIPTIONS, Quota.REDRIVES)
OF_CLIENTS = RATES + CONCURRENT
Quotas = Mapping[Quota, int]


class QuotaReached(Conflict):
    """An organisation has as many of a kind as it may have: waiting does not help."""

    code = "quota-reached"


BUILT_IN: Quotas = {quota: Settings.model_fields[f"quota_{quota}"].default for quota in Quota}


def default_quotas(settings: Settings) -> Quotas:
    """The quotas of an organisation for which nothing else is set."""
    return {quota: getattr(settings, f"quota_{quota}") for quota in Quota}


def require_below(
    quota: Quota, limit: int, present: int, advice: str, *, noun: str | None = None
) -> None:
    """Raises QuotaReached unless one more is within the limit.

    Ask within the transaction that adds one, after it has locked the topic.
    """
    if present >= limit:
        raise QuotaReached(
            f"The organisation has reached its quota of {limit} {noun or quota}. {advice}"
        )

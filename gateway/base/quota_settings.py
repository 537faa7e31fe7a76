"""The quotas that organisations have unless set otherwise."""

from typing import Any

from pydantic import BaseModel, Field


def _quota(default: int, what: str) -> Any:
    return Field(default, ge=1, description=f"{what} of one organisation, unless set otherwise")


class QuotaSettings(BaseModel):
    """Part of the settings of a process."""

    quota_events: int = _quota(10_000, "Events a second")
    quota_bytes: int = _quota(64 << 20, "Bytes of events a second")
    quota_refusals: int = _quota(1_000, "Refused events a second")
    quota_checks: int = _quota(50, "Contracts to lint or compare a second")
    quota_in_flight: int = _quota(1_000, "Calls at the same time")
    quota_streams: int = _quota(100, "Streams at the same time")
    quota_long_polls: int = _quota(200, "Waiting calls at the same time")
    quota_clients: int = _quota(200, "Active clients")
    quota_grants: int = _quota(1_000, "Grants")
    quota_contracts: int = _quota(1_000, "Contracts")
    quota_subscriptions: int = _quota(100, "Subscriptions")
    quota_redrives: int = _quota(10, "Running redrives")

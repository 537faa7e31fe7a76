"""Verb: change what may be said on the bus, with everybody in mind whom it hits."""

from gateway.contracts.governance.comparison import Judged
from gateway.contracts.governance.impact import Impact, Publisher
from gateway.contracts.governance.lifecycle import Lifecycle, Retirement
from gateway.contracts.governance.loading import check_folder
from gateway.contracts.governance.opening import opened
from gateway.contracts.governance.permissions import (
    Revision,
    sight_of,
    visible,
)
from gateway.contracts.governance.planning import Dependencies, NewSchema
from gateway.contracts.governance.registration import (
    Answer,
    Governing,
    NewContract,
    RegistrationResult,
)
from gateway.contracts.registry import Notice

__all__ = [
    "Answer",
    "Dependencies",
    "Governing",
    "Impact",
    "Judged",
    "Lifecycle",
    "NewContract",
    "NewSchema",
    "Notice",
    "Publisher",
    "RegistrationResult",
    "Retirement",
    "Revision",
    "check_folder",
    "opened",
    "sight_of",
    "visible",
]

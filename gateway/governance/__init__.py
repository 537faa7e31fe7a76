"""Verb: change what may be said on the bus, with everybody in mind whom it hits."""

from gateway.contracts.registry import Notice
from gateway.governance.governing import Answer, Governing, NewContract, Outcome
from gateway.governance.impact import Impact, Publisher
from gateway.governance.judging import Judged
from gateway.governance.lifecycle import Lifecycle, Retirement
from gateway.governance.loading import check_folder
from gateway.governance.opening import opened
from gateway.governance.planning import Dependencies, NewSchema
from gateway.governance.rights import Revision, require_governor, require_reader, sight_of, visible

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
    "Outcome",
    "Publisher",
    "Retirement",
    "Revision",
    "check_folder",
    "opened",
    "require_governor",
    "require_reader",
    "sight_of",
    "visible",
]

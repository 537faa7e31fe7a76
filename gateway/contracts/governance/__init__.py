"""Governance: how contracts are registered, changed and retired, and who is affected."""

from gateway.contracts.governance.comparison import CompatibilityReport
from gateway.contracts.governance.context import GovernanceContext, governance_context
from gateway.contracts.governance.impact import Impact, Publisher
from gateway.contracts.governance.lifecycle import Retirement, VersionLifecycle
from gateway.contracts.governance.loading import check_folder
from gateway.contracts.governance.permissions import (
    Revision,
    find_visible,
    visibility_of,
)
from gateway.contracts.governance.planner import NewSchema
from gateway.contracts.governance.registration import (
    ContractRegistration,
    NewContract,
    RegistrationResult,
    VersionCheck,
)
from gateway.contracts.registry import DeprecationNotice

__all__ = [
    "CompatibilityReport",
    "ContractRegistration",
    "DeprecationNotice",
    "GovernanceContext",
    "Impact",
    "NewContract",
    "NewSchema",
    "Publisher",
    "RegistrationResult",
    "Retirement",
    "Revision",
    "VersionCheck",
    "VersionLifecycle",
    "check_folder",
    "find_visible",
    "governance_context",
    "visibility_of",
]

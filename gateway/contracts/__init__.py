"""Contracts: the registry of event types and schemas, and validation of data against them."""

from gateway.contracts import defaults, history, queries, registry
from gateway.contracts.admission import admit, admit_contract
from gateway.contracts.admission_checker import AdmissionChecker
from gateway.contracts.bundle import schema_id, schema_url, schema_urn
from gateway.contracts.catalogue import Catalogue, CatalogueLoader, CatalogueVersion, load_contracts
from gateway.contracts.compilation import Library
from gateway.contracts.cost import Budget
from gateway.contracts.files import owners, submissions
from gateway.contracts.non_delivery import Failure
from gateway.contracts.personal_data import mask_personal_data
from gateway.contracts.queries import Search, Visibility
from gateway.contracts.registry import register
from gateway.contracts.validation import Validator
from gateway.contracts.validation_pool import ValidationPool
from gateway.contracts.values import (
    LONGEST_LIFETIME,
    LONGEST_RETENTION,
    Author,
    Classification,
    Contract,
    Deprecation,
    HistoryRecord,
    InvalidExample,
    Ordering,
    Pattern,
    RegisteredContract,
    StoredVersion,
    Submission,
    Version,
    VersionState,
)

__all__ = [
    "LONGEST_LIFETIME",
    "LONGEST_RETENTION",
    "AdmissionChecker",
    "Author",
    "Budget",
    "Catalogue",
    "CatalogueLoader",
    "CatalogueVersion",
    "Classification",
    "Contract",
    "Deprecation",
    "Failure",
    "HistoryRecord",
    "InvalidExample",
    "Library",
    "Ordering",
    "Pattern",
    "RegisteredContract",
    "Search",
    "StoredVersion",
    "Submission",
    "ValidationPool",
    "Validator",
    "Version",
    "VersionState",
    "Visibility",
    "admit",
    "admit_contract",
    "defaults",
    "history",
    "load_contracts",
    "mask_personal_data",
    "owners",
    "queries",
    "register",
    "registry",
    "schema_id",
    "schema_url",
    "schema_urn",
    "submissions",
]

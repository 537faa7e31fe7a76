"""Noun: contracts, what may be said on the bus and how it is judged."""

from gateway.contracts import history, queries, registry, rules
from gateway.contracts.admission import admit, admit_contract
from gateway.contracts.bundle import schema_id, schema_url, schema_urn
from gateway.contracts.catalogue import Catalogue, CatalogueLoader, Versioned, load_contracts
from gateway.contracts.compiling import Library
from gateway.contracts.files import owners, submissions
from gateway.contracts.folder import library_of
from gateway.contracts.non_delivery import Failure
from gateway.contracts.personal import without_personal_data
from gateway.contracts.proving import Proving
from gateway.contracts.queries import Search, Sight
from gateway.contracts.registry import register
from gateway.contracts.validation import Validator
from gateway.contracts.values import (
    LONGEST_LIFETIME,
    Author,
    Classification,
    Contract,
    Deprecation,
    InvalidExample,
    Ordering,
    Pattern,
    Recorded,
    Registered,
    State,
    StoredVersion,
    Submission,
    Version,
)

__all__ = [
    "LONGEST_LIFETIME",
    "Author",
    "Catalogue",
    "CatalogueLoader",
    "Classification",
    "Contract",
    "Deprecation",
    "Failure",
    "InvalidExample",
    "Library",
    "Ordering",
    "Pattern",
    "Proving",
    "Recorded",
    "Registered",
    "Search",
    "Sight",
    "State",
    "StoredVersion",
    "Submission",
    "Validator",
    "Version",
    "Versioned",
    "admit",
    "admit_contract",
    "history",
    "library_of",
    "load_contracts",
    "owners",
    "queries",
    "register",
    "registry",
    "rules",
    "schema_id",
    "schema_url",
    "schema_urn",
    "submissions",
    "without_personal_data",
]

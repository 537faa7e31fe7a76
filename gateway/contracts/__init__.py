"""Noun: contracts, what may be said on the bus and how it is judged."""

from gateway.contracts.admission import admit
from gateway.contracts.catalogue import Catalogue, CatalogueLoader
from gateway.contracts.files import owners, submissions
from gateway.contracts.judge import Judge
from gateway.contracts.registry import register
from gateway.contracts.values import Classification, Contract, Pattern, Submission

__all__ = [
    "Catalogue",
    "CatalogueLoader",
    "Classification",
    "Contract",
    "Judge",
    "Pattern",
    "Submission",
    "admit",
    "owners",
    "register",
    "submissions",
]

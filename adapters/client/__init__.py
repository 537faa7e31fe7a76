"""The Python client library of Nusabus: for ministries and for the adapters here.

It speaks the public HTTP API and nothing else; what arrives is read from RabbitMQ with any client.
"""

from adapters.client.administration import Administration
from adapters.client.contracts import Contracts
from adapters.client.dead_letters import DeadLetters
from adapters.client.nusabus import Nusabus, OutcomeUnknown
from adapters.client.problem import Problem
from adapters.client.repeat import Repeat
from adapters.client.requests import Requests
from adapters.client.values import Asked, Receipt, Subscription, Violation

__all__ = [
    "Administration",
    "Asked",
    "Contracts",
    "DeadLetters",
    "Nusabus",
    "OutcomeUnknown",
    "Problem",
    "Receipt",
    "Repeat",
    "Requests",
    "Subscription",
    "Violation",
]

"""The Python client library of Nusabus: for ministries and for the adapters here.

It uses the public interfaces only: HTTP here; gRPC in `grpc_publishing`, `grpc_subscribing` and
`grpc_requests`, which take long to load. Events of an `amqp` subscription are read from RabbitMQ
with any AMQP client, for example with `consumers`.
"""

from adapters.client.administration import Administration
from adapters.client.blocking import Blocking
from adapters.client.call_retry import CallRetryPolicy
from adapters.client.contracts import Contracts
from adapters.client.dead_letters import DeadLetters
from adapters.client.nusabus import Nusabus, OutcomeUnknown
from adapters.client.problem import Problem
from adapters.client.requests import Requests
from adapters.client.streams import StreamedEvent, Streams
from adapters.client.tls import Tls, UnusableFile
from adapters.client.values import Receipt, RequestView, Subscription, Violation

__all__ = [
    "Administration",
    "Blocking",
    "CallRetryPolicy",
    "Contracts",
    "DeadLetters",
    "Nusabus",
    "OutcomeUnknown",
    "Problem",
    "Receipt",
    "RequestView",
    "Requests",
    "StreamedEvent",
    "Streams",
    "Subscription",
    "Tls",
    "UnusableFile",
    "Violation",
]

"""The tables of delivery: deliveries, dead letters, redrives, leases, dispatchers' writes."""

from gateway.delivery.store.dead_letters import DeadLetters, set_ledger_retention
from gateway.delivery.store.deliveries import Deliveries
from gateway.delivery.store.dispatch import (
    DeferredDelivery,
    DispatchStore,
    ReleasedDelivery,
    ShardAdvance,
    Superseded,
)
from gateway.delivery.store.leases import DeliveryLeases
from gateway.delivery.store.redrives import Redrive, Redrives, RedriveState
from gateway.delivery.store.values import (
    TEST_SHARD,
    TOO_OLD,
    Attempt,
    Claim,
    DeadLetter,
    DeadLetterQuery,
    DeliveryLimits,
    DeliveryRecord,
    FailedDelivery,
    Key,
    Locked,
    LockedBatch,
    NewDeadLetter,
    NewDelivery,
    ReportDecision,
    Settlement,
    UnseenDeadLetters,
)

__all__ = [
    "TEST_SHARD",
    "TOO_OLD",
    "Attempt",
    "Claim",
    "DeadLetter",
    "DeadLetterQuery",
    "DeadLetters",
    "DeferredDelivery",
    "Deliveries",
    "DeliveryLeases",
    "DeliveryLimits",
    "DeliveryRecord",
    "DispatchStore",
    "FailedDelivery",
    "Key",
    "Locked",
    "LockedBatch",
    "NewDeadLetter",
    "NewDelivery",
    "Redrive",
    "RedriveState",
    "Redrives",
    "ReleasedDelivery",
    "ReportDecision",
    "Settlement",
    "ShardAdvance",
    "Superseded",
    "UnseenDeadLetters",
    "set_ledger_retention",
]

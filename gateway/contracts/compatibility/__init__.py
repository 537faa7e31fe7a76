"""Comparison of schema versions: does one schema accept everything that another accepts?

No database, no HTTP, no network. Work that may not end runs in a worker process, which is killed
at its time limit, so the caller's event loop stays responsive.

    checker = CompatibilityChecker()                      # starts no process yet
    result = await checker.compare(old, new, CompatibilityDirection.BACKWARD)
    match result:
        case Compatible(): ...
        case Incompatible(direction, counterexample, changes): ...
        case Undecided(direction, reason, changes): ...  # not proven: treat as incompatible
    history = await checker.compare_history(new, {1: v1, 2: v2}, Rule(CompatibilityMode.FULL))
    await checker.close()

Schemas are JSON text (bytes) or parsed values. Each is self-contained (bundled) and names its
dialect by `$schema` (draft 6 or newer; without it 2020-12).
"""

from gateway.contracts.compatibility.closed_form import closed_form
from gateway.contracts.compatibility.dialects import UnreadableSchema
from gateway.contracts.compatibility.pool import CompatibilityChecker
from gateway.contracts.compatibility.values import (
    Change,
    Comparison,
    CompatibilityDirection,
    CompatibilityMode,
    CompatibilityPolicy,
    Compatible,
    Counterexample,
    HistoryComparison,
    Incompatible,
    Rule,
    Undecided,
)

__all__ = [
    "Change",
    "Comparison",
    "CompatibilityChecker",
    "CompatibilityDirection",
    "CompatibilityMode",
    "CompatibilityPolicy",
    "Compatible",
    "Counterexample",
    "HistoryComparison",
    "Incompatible",
    "Rule",
    "Undecided",
    "UnreadableSchema",
    "closed_form",
]

"""Whether one schema accepts what another accepts: the compatibility of contract versions.

Everything here is pure: no database, no HTTP, no network. What may not end runs in a worker
process that is killed in time; the caller's event loop stays responsive.

    compatibility = Compatibility()                      # starts nothing yet
    verdict = await compatibility.judge(old, new, Direction.BACKWARD, Policy.STRICT)
    match verdict:
        case Compatible(): ...
        case Incompatible(direction, counterexample, changes): ...
        case Undecided(direction, reason, changes): ...  # not proven: treat as incompatible
    judgement = await compatibility.judge_history(new, {1: v1, 2: v2}, Rule(Mode.FULL))
    await compatibility.close()

Schemas are JSON text (bytes) or parsed; each is self-contained (bundled) and names its dialect by
`$schema`, draft 6 or newer, 2020-12 if it names none.
"""

from gateway.contracts.compatibility.closing import closed
from gateway.contracts.compatibility.dialects import Unreadable
from gateway.contracts.compatibility.pool import Compatibility
from gateway.contracts.compatibility.question import (
    Change,
    Compatible,
    Counterexample,
    Direction,
    Incompatible,
    Judgement,
    Mode,
    Policy,
    Rule,
    Undecided,
    Verdict,
)

__all__ = [
    "Change",
    "Compatibility",
    "Compatible",
    "Counterexample",
    "Direction",
    "Incompatible",
    "Judgement",
    "Mode",
    "Policy",
    "Rule",
    "Undecided",
    "Unreadable",
    "Verdict",
    "closed",
]

"""What it takes to validate an event, at most: measured before a schema is admitted.

The number of keywords says little about it: an enum of 500 objects is one keyword. So documents
that the schema itself suggests are validated, each schema inside it is timed, and its time is
extrapolated to the largest event. That finds what is expensive; it proves nothing to be cheap.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf
from time import thread_time_ns
from typing import Any

from gateway.base.errors import Invalid
from gateway.base.json_pointer import escaped
from gateway.contracts.cost.measuring import Cost, Measuring
from gateway.contracts.enumerations import KEYWORD
from gateway.contracts.validation import Validator

__all__ = ["DEFAULT", "INLINE_SECONDS", "INLINE_UNKNOWN", "Budget", "require_affordable"]

INLINE_SECONDS = 0.001
"""What an event may take on the event loop of a process: nobody else is served meanwhile."""
INLINE_UNKNOWN = 1024
"""The bytes of an event that is validated there under a schema that was not measured."""
_COMPILE_SECONDS = 0.01  # what compiling may take there, once in each process
_PARSE = 100  # nanoseconds for each byte of JSON: of decimals 70, of empty objects 100
_ENOUGH = 4  # times the budget, after which measuring ends

_ADVICE = {
    "enum": "List fewer values, or values of one kind.",
    "pattern": "Simplify the regular expression: avoid counted repetition of groups. Or bound the "
    "text by maxLength.",
    "patternProperties": "Use fewer regular expressions, or bound the object by maxProperties.",
    "multipleOf": "Use a pattern, or a multiple with fewer digits.",
    "dependentRequired": "List fewer members.",
    "dependentSchemas": "List fewer members.",
    "dependencies": "List fewer members.",
}
_OTHERWISE = (
    "Use fewer branches and refer to each subschema once, or bound the arrays and objects around "
    "it by maxItems and maxProperties."
)


@dataclass(frozen=True, slots=True)
class Budget:
    """The CPU seconds that an event of the largest size may take."""

    event_bytes: int = 1 << 20
    seconds: float = 2.5


DEFAULT = Budget()


def require_affordable(document: Any, budget: Budget = DEFAULT) -> int:
    """The largest event, in bytes, that is cheap enough for the event loop of a process.

    Raises Invalid with the pointer of the most expensive keyword if an event of the largest size
    could take longer than the budget.
    """
    if not isinstance(document, Mapping):  # a closed form may be true or false
        return budget.event_bytes
    began = thread_time_ns()
    Validator("", 0, document)
    compiling = (thread_time_ns() - began) / 1e9
    measuring = Measuring(document, event=budget.event_bytes, enough=_ENOUGH * budget.seconds)
    costs = measuring.costs
    worst = max(costs, key=lambda cost: cost.seconds(budget.event_bytes))
    if worst.seconds(budget.event_bytes) > budget.seconds:
        raise _too_expensive(costs, measuring, budget)
    if compiling > _COMPILE_SECONDS:
        return 0
    inline = _inline_bytes(costs)
    return inline if measuring.complete else min(inline, INLINE_UNKNOWN)


def _inline_bytes(costs: Iterable[Cost]) -> int:
    per_byte = max((c.nanoseconds / c.size for c in costs if c.times == inf), default=0.0)
    once = max((c.nanoseconds * c.times for c in costs if c.times < inf), default=0.0)
    return max(0, int((INLINE_SECONDS * 1e9 - once) / (per_byte + _PARSE)))


def _too_expensive(costs: Iterable[Cost], measuring: Measuring, budget: Budget) -> Invalid:
    event = budget.event_bytes
    worst = max(cost.seconds(event) for cost in costs)
    # Of the schemas around the expensive one, that which the smallest document reaches.
    cost = min((c for c in costs if c.seconds(event) > worst / 2), key=lambda cost: cost.size)
    keyword = measuring.culprit(cost) or "$ref"
    keyword = "enum" if keyword == KEYWORD else keyword
    return Invalid(
        f"An event of {event} bytes could take {worst:.2g} s to validate; {budget.seconds:g} s are "
        f"allowed. Most of it is {keyword}. {_ADVICE.get(keyword, _OTHERWISE)}",
        pointer=f"{cost.location}/{escaped(keyword)}",
    )

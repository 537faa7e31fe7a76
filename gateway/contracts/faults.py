"""Several faults of a schema as one error."""

from collections.abc import Sequence

from gateway.base.errors import Invalid
from gateway.base.faults import Fault

LISTED = 50  # faults in one error


def several(faults: Sequence[Fault]) -> Invalid:
    """The error for all of these; its text and pointer are those of the first."""
    first, more = faults[0], len(faults) - 1
    text = f"{first.message} There are {more} more faults." if more else first.message
    return Invalid(text, pointer=first.pointer, faults=faults if more else ())

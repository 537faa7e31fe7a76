"""Who owns a source: prefixes of sources as values, and the owners of all of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial

from gateway.base.errors import Forbidden, Invalid, Malformed
from gateway.base.uris import is_uri_reference, normalise
from gateway.identity.values import OPERATOR

REMEMBERED = 4096  # sources whose owner is kept; as many as attributes whose check is
_LIMIT = 255  # characters of a prefix
_Steps = tuple[str | None, ...]
_NOT_NORMAL = (
    "The source is not in normal form (RFC 3986, section 6.2.2). Resolve dot segments, write "
    "scheme and host in small letters, percent-encode only what needs it, with capitals."
)


@dataclass(frozen=True, slots=True)
class SourcePrefix:
    """The sources under a prefix belong to one organisation; None is the gateway itself.

    `assigned_by` is the client that assigned it; None where the organisation has it by its name.
    """

    id: str
    prefix: str
    organisation: str | None
    assigned_by: str | None
    created: datetime


def name_prefix(organisation: str) -> str:
    """The prefix that an organisation has by its name."""
    return f"/{organisation}/"


def parse_prefix(text: str) -> str:
    """A prefix in normal form, with the delimiter at its end: `/x/`, `https://x/`, `urn:x:`.

    Raises Invalid unless it names a host, or more than a scheme.
    """
    if len(text) <= _LIMIT and is_uri_reference(text):
        uri = normalise(text)
        steps = uri.steps
        if steps is not None and not uri.rest and (uri.authority or steps[3:]) and all(steps[2:]):
            delimiter = str(steps[2])
            return uri._replace(path=uri.path.rstrip(delimiter) + delimiter).text
    raise Invalid(
        "Invalid prefix. Use a URI with a host, a URN with its namespace, or an absolute path, "
        f"without query and fragment, of at most {_LIMIT} characters: https://x.go.id/, urn:x:.",
        pointer="/prefix",
    )


class SourceOwners:
    """The owner of every source. Decisions are remembered, the latest of them."""

    def __init__(self, prefixes: Iterable[SourcePrefix]) -> None:
        self.prefixes = tuple(prefixes)
        owners = {_steps(each.prefix): each.organisation for each in self.prefixes}
        depths = sorted({len(steps) for steps in owners})
        self._decide = lru_cache(maxsize=REMEMBERED)(partial(_decide, owners, depths))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SourceOwners) and self.prefixes == other.prefixes

    def __hash__(self) -> int:
        return hash(self.prefixes)

    def require(self, source: str, organisation: str) -> None:
        """Raises Forbidden unless the organisation owns the source, Malformed for a spelling.

        A source has one spelling: filters and receivers compare texts.
        """
        owner, normal = self._decide(source)
        if owner is None or owner != organisation:
            raise Forbidden(_foreign(organisation), pointer="/source")
        if not normal:
            raise Malformed(_NOT_NORMAL, pointer="/source")


def _decide(
    owners: Mapping[_Steps, str | None], depths: Sequence[int], source: str
) -> tuple[str | None, bool]:
    """The owner of a source, and whether the source is in normal form."""
    uri = normalise(source)
    steps = uri.steps or ()
    for depth in depths:
        owner = owners.get(steps[:depth])
        if owner is not None:
            return owner, uri.text == source
    return None, False


def _steps(prefix: str) -> _Steps:
    return normalise(prefix).steps or ()


def _foreign(organisation: str) -> str:
    if organisation == OPERATOR:
        return (
            f"The sources under /{OPERATOR} are the gateway's own. Assign another prefix to "
            f"{OPERATOR}, and use a source under that."
        )
    return (
        f"The source does not belong to your organisation. Use a source under /{organisation}, or "
        "ask the operator of the bus to assign the prefix of this one to you."
    )

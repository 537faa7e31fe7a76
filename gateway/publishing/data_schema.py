"""Which version of a contract judges an event."""

import re
from functools import lru_cache

from gateway.base.errors import Invalid
from gateway.base.event import Event
from gateway.contracts import Catalogue, State, Validator, schema_id
from gateway.contracts.catalogue import Versioned

_SERVED = re.compile(r"https?://[^/]*(?:/.*)?(?=/v1/contracts/[^/]+/versions/[^/]+/schema$)")


def judge_of(event: Event, catalogue: Catalogue) -> Validator:
    """The version that `dataschema` names, else the newest that is active.

    Raises Invalid for a version that does not judge. A `dataschema` that is no id of a registered
    schema is the publisher's own affair, and goes on with the event.
    """
    named = event.attributes.get("dataschema")
    if named is not None:
        version = _named(str(named), event, catalogue)
        if version is not None:
            return version.judge
    try:
        return catalogue.judge(event.type)
    except KeyError:
        raise Invalid(
            f"no version of {event.type} is active: publish the type that has replaced it, or ask "
            f"{event.type.split('.')[2]} for a new version",
            pointer="type",
        ) from None


def version_of(event: Event, catalogue: Catalogue) -> Versioned | None:
    """The version that judged an accepted event."""
    return catalogue.version(event.type, judge_of(event, catalogue).version)


def _named(dataschema: str, event: Event, catalogue: Catalogue) -> Versioned | None:
    found = _id(dataschema)
    if found is None:
        return None
    type_, number = found
    if type_ != event.type:
        raise Invalid(
            f"dataschema names {type_}, and the event is {event.type}: name a version of its own "
            "type, or leave dataschema out",
            pointer="dataschema",
        )
    version = catalogue.version(type_, number)
    if version is None or not version.usable:
        state = "unknown" if version is None else version.state.value
        raise Invalid(
            f"version {number} of {type_} is {state}: {_advice(version, catalogue, type_)}",
            pointer="dataschema",
        )
    return version


def _advice(version: Versioned | None, catalogue: Catalogue, type: str) -> str:
    if version is not None and version.state is State.DRAFT:
        return "it may be used once another administrator of the owner has approved it"
    standing = catalogue.standing.get(type)
    if standing is None:
        return "no version of this type is active any more"
    return f"name version {standing.number}, or leave dataschema out to be judged by the newest"


@lru_cache(maxsize=4096)
def _id(dataschema: str) -> tuple[str, int] | None:
    """What a dataschema names, under whatever address this gateway is reached."""
    served = _SERVED.match(dataschema)
    return schema_id(dataschema, served[0] if served else "")

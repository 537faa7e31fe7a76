"""Trace context on events (W3C Trace Context, level 1): kept when sound, else left out.

The standard has a receiver ignore what it cannot read (sections 3.2 and 3.3): a broken trace is
never a reason to refuse an event.
"""

import re

_TRACEPARENT = re.compile(
    r"(?!ff)(?P<version>[0-9a-f]{2})-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
    r"(?P<more>-[\x21-\x7e]*)?"
)
_MEMBER = re.compile(
    r"(?:[a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13})"
    r"=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
)
_MEMBERS = 32
_LENGTH = 512


def is_traceparent(text: str) -> bool:
    """Whether `text` is a traceparent. Later versions may add fields, version 00 may not."""
    found = _TRACEPARENT.fullmatch(text)
    return found is not None and not (found["version"] == "00" and found["more"])


def is_tracestate(text: str) -> bool:
    """Whether `text` is a list of at most 32 members, in the 512 characters all must carry."""
    members = [member for part in text.split(",") if (member := part.strip(" \t"))]
    return (
        len(text) <= _LENGTH
        and 0 < len(members) <= _MEMBERS
        and all(map(_MEMBER.fullmatch, members))
        and len({member.partition("=")[0] for member in members}) == len(members)
    )

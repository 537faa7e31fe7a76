"""Event types and the patterns that stand for many of them.

An event type has six words: `id.go.<organisation>.<entity>.<fact>.v<major>`. In a pattern `*` takes
the place of one word, and as the last word it takes the place of all that remain. So every pattern
is six places, each a word or anything, and questions about patterns are answered place by place.

The type of a reply is that of its request with a seventh word, `reply`. No pattern reaches it.
"""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from gateway.base.errors import Invalid

ANY = "*"
_REPLY = ".reply"
_WORDS = 6
_LIMIT = 255  # bytes, of a type and of an AMQP routing key (AMQP 0-9-1, short string)

_WORD = r"[a-z0-9][a-z0-9-]*"
_PLACE = rf"(?:{_WORD}|\*)"
_MAJOR = r"v[1-9][0-9]*"
_TYPE = re.compile(rf"id\.go\.(?:{_WORD}\.){{3}}{_MAJOR}")
_PATTERN = re.compile(rf"id\.go\.(?:(?:{_PLACE}\.){{0,3}}\*|(?:{_PLACE}\.){{3}}{_MAJOR})")


def is_event_type(text: str) -> bool:
    """Whether `text` is a well-formed event type."""
    return len(text) <= _LIMIT and _TYPE.fullmatch(text) is not None


def may_be_asked(type: str) -> bool:
    """Whether replies to requests of this type can have a type of their own."""
    return len(reply_type(type)) <= _LIMIT


@lru_cache(maxsize=4096)
def parse(pattern: str) -> tuple[str, ...]:
    """The six places of a pattern, each a word or `*`. Raises Invalid when it is none."""
    if len(pattern) > _LIMIT or not _PATTERN.fullmatch(pattern):
        raise Invalid(
            f"{pattern[:_LIMIT]!r} is neither an event type nor a pattern of event types: write "
            "id.go.<organisation>.<entity>.<fact>.v<major> in small letters, digits and hyphens, "
            "with * for any one word, or at the end for all the rest",
            pointer="/type",
        )
    words = pattern.split(".")
    return (*words, *(ANY,) * (_WORDS - len(words)))


def reply_type(type: str) -> str:
    """The type of replies to requests of a type."""
    return type + _REPLY


def request_type(type: str) -> str:
    """The type of the request where `type` is that of a reply; else `type` itself.

    No contract's type ends so: its last word is the version.
    """
    return type.removesuffix(_REPLY)


def is_reply(type: str) -> bool:
    """Whether events of this type are replies."""
    return type.endswith(_REPLY)


@lru_cache(maxsize=4096)
def places(types: str) -> tuple[str, ...]:
    """The places of what may be subscribed to: a pattern, or the type of replies to one type.

    Raises Invalid when it is neither.
    """
    found = parse(request_type(types))
    if not is_reply(types):
        return found
    if ANY in found:
        raise Invalid(
            f"{types!r} has a *: replies are subscribed to type by type, each the type of a "
            f"request followed by {_REPLY}",
            pointer="/type",
        )
    return (*found, _REPLY.removeprefix("."))


def matches(pattern: str, type: str) -> bool:
    """Whether a type falls under what is subscribed to. Raises Invalid when `pattern` is none."""
    words, wanted = type.split("."), places(pattern)
    return len(words) == len(wanted) and _over(wanted, words)


def covers(pattern: str, other: str) -> bool:
    """Whether every type under the pattern `other` falls under `pattern` too."""
    return _over(parse(pattern), parse(other))


def expression(patterns: Iterable[str]) -> str:
    """One regular expression, for Python and POSIX alike, that the types under any pattern match.

    Compiled once it answers several times faster than `matches`. Without patterns nothing matches.
    """
    alternatives = (
        r"\.".join("[^.]+" if place == ANY else re.escape(place) for place in places(pattern))
        for pattern in patterns
    )
    return f"^({'|'.join(alternatives)})$"


def to_topic_binding(pattern: str) -> str:
    """The pattern as an AMQP topic binding, where `*` is one word and `#` all that remain.

    `#` also stands for no word at all, but what is in front of it is too short to be a type.
    """
    parse(pattern)
    return f"{pattern[:-1]}#" if pattern.endswith(ANY) else pattern


def _over(places: Sequence[str], words: Sequence[str]) -> bool:
    return all(place in (ANY, word) for place, word in zip(places, words, strict=True))

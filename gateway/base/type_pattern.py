"""Event types, and the patterns that match many of them.

An event type has six words: `id.go.<organisation>.<entity>.<fact>.v<major>`. In a pattern `*`
matches one word, and as the last word all that remain. So every pattern is a sequence of six words,
each literal or `*`, and patterns are compared word by word.

The type of a reply is the type of its request with a seventh word, `reply`. No pattern matches it.
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
_ANY_WORD = rf"(?:{_WORD}|\*)"
_MAJOR = r"v[1-9][0-9]*"
_TYPE = re.compile(rf"id\.go\.(?:{_WORD}\.){{3}}{_MAJOR}")
_PATTERN = re.compile(rf"id\.go\.(?:(?:{_ANY_WORD}\.){{0,3}}\*|(?:{_ANY_WORD}\.){{3}}{_MAJOR})")


def is_event_type(text: str) -> bool:
    """Whether `text` is a well-formed event type."""
    return len(text) <= _LIMIT and _TYPE.fullmatch(text) is not None


def has_reply_type(type: str) -> bool:
    """Whether the type of replies to requests of this type is short enough."""
    return len(reply_type(type)) <= _LIMIT


@lru_cache(maxsize=4096)
def parse(pattern: str) -> tuple[str, ...]:
    """The six words of a pattern, each literal or `*`. Raises Invalid for anything else."""
    if len(pattern) > _LIMIT or not _PATTERN.fullmatch(pattern):
        raise Invalid(
            f"{pattern[:_LIMIT]!r} is neither an event type nor a pattern of event types. Use "
            "id.go.<organisation>.<entity>.<fact>.v<major> in lower case letters, digits and "
            "hyphens, with * for any one word, or at the end for all that remain.",
            pointer="/type",
        )
    words = pattern.split(".")
    return (*words, *(ANY,) * (_WORDS - len(words)))


def reply_type(type: str) -> str:
    """The type of replies to requests of a type."""
    return type + _REPLY


def request_type(type: str) -> str:
    """The type of the request if `type` is the type of a reply; else `type` itself.

    No type of a contract ends in `reply`: its last word is the version.
    """
    return type.removesuffix(_REPLY)


def is_reply(type: str) -> bool:
    """Whether events of this type are replies."""
    return type.endswith(_REPLY)


@lru_cache(maxsize=4096)
def words_of(types: str) -> tuple[str, ...]:
    """The words of what may be subscribed to: a pattern, or the type of replies to one type.

    Raises Invalid for anything else.
    """
    found = parse(request_type(types))
    if not is_reply(types):
        return found
    if ANY in found:
        raise Invalid(
            f"{types!r} has a *. Subscribe to replies type by type: the type of the request "
            f"followed by {_REPLY}.",
            pointer="/type",
        )
    return (*found, _REPLY.removeprefix("."))


def matches(pattern: str, type: str) -> bool:
    """Whether a pattern matches a type. Raises Invalid if `pattern` is not a pattern."""
    words, wanted = type.split("."), words_of(pattern)
    return len(words) == len(wanted) and _over(wanted, words)


def covers(pattern: str, other: str) -> bool:
    """Whether `pattern` matches every type that the pattern `other` matches."""
    return _over(parse(pattern), parse(other))


def expression(patterns: Iterable[str]) -> str:
    """One regular expression, for Python and POSIX, that matches what any of the patterns match.

    Compiled once, it is several times faster than `matches`. Without patterns nothing matches.
    """
    alternatives = (
        r"\.".join("[^.]+" if word == ANY else re.escape(word) for word in words_of(pattern))
        for pattern in patterns
    )
    return f"^({'|'.join(alternatives)})$"


def to_topic_binding(pattern: str) -> str:
    """The pattern as an AMQP topic binding, where `*` matches one word and `#` all that remain.

    `#` also matches no word at all, but what precedes it is too short to be a type.
    """
    parse(pattern)
    return f"{pattern[:-1]}#" if pattern.endswith(ANY) else pattern


def _over(pattern: Sequence[str], words: Sequence[str]) -> bool:
    return all(expected in (ANY, word) for expected, word in zip(pattern, words, strict=True))

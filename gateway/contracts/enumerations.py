"""`enum` by hash: membership in a set of canonical values instead of one comparison per member.

`jsonschema-rs` looks up an enum of strings alone by hash. It compares any other enum member by
member: measured 66 ns for an object or array, and 0.7 us where a decimal or a large integer is
involved. So an array of decimals under an enum of 500 numbers costs 75 s for each MiB. Here it
costs 0.1 to 0.5 us for each value, however many members the enum has.

A list of alternatives that are constants, as authors write an enum with a title for each member,
is an enum too: `oneOf` and `anyOf` of `const` become one.

Two values are equal as JSON Schema has it (2020-12 validation, section 6.1.2): numbers by value,
objects without order, and `true` is not 1.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from gateway.contracts.keywords import rebuilt

KEYWORD = "x-nusabus-enum"  # its value is the index of a set
_ANNOTATIONS = frozenset({"const", "title", "description", "$comment", "deprecated", "examples"})
_MEMBERS = 8  # that are compared one by one in less time than a call into Python
_SLOW_MEMBERS = 2  # members of a kind whose comparison takes longer than that call

Enumeration = tuple[frozenset[Any], frozenset[tuple[type, int]], int]
"""The canonical members, the kinds and lengths of its containers, and the values in the largest."""


def with_hashed_enums(schema: Any) -> tuple[Any, Mapping[str, Any]]:
    """An equivalent schema, and the keyword classes that `jsonschema_rs` needs for it.

    The schema itself and no class if nothing would become faster.
    """
    if not any(_hashable(each) for each in _objects(schema)):
        return schema, {}
    found: list[Enumeration] = []
    return _hashed(schema, found), {KEYWORD: _keyword(found)}


def _objects(schema: Any) -> Iterator[dict[str, Any]]:
    waiting = [schema]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            waiting += each.values()
            yield each
        elif isinstance(each, list):
            waiting += each


def _hashable(schema: dict[str, Any]) -> tuple[str, Sequence[Any]] | None:
    """The keyword of a schema that can be looked up faster, and the values that it accepts."""
    members = schema.get("enum")
    if isinstance(members, list):
        return ("enum", members) if _slow(members) else None
    for keyword in ("oneOf", "anyOf"):
        branches = schema.get(keyword)
        if isinstance(branches, list) and len(branches) > 1 and all(map(_constant, branches)):
            constants = [branch["const"] for branch in branches]
            return keyword, _once(constants) if keyword == "oneOf" else constants
    return None


def _constant(branch: Any) -> bool:
    return isinstance(branch, dict) and "const" in branch and not branch.keys() - _ANNOTATIONS


def _once(values: Sequence[Any]) -> list[Any]:
    """The values that are equal to no other: two branches accept the others."""
    count = Counter(map(_canonical, values))
    return [value for value in values if count[_canonical(value)] == 1]


def _slow(members: Sequence[Any]) -> bool:
    if all(isinstance(member, str) for member in members):
        return False
    slow = sum(type(member) not in (str, bool, type(None)) for member in members)
    return len(members) > _MEMBERS or slow > _SLOW_MEMBERS


def _hashed(schema: Any, found: list[Enumeration]) -> Any:
    if not isinstance(schema, dict):
        return schema
    made = rebuilt(schema, lambda _, below: _hashed(below, found))
    made.pop(KEYWORD, None)  # an annotation of the author's
    hashable = _hashable(made)
    if hashable is not None:
        keyword, members = hashable
        del made[keyword]
        if members and not _slow(members):
            made["enum"] = members
        else:
            made[KEYWORD] = len(found)
            found.append(_enumeration(members))
    return made


def _enumeration(members: Sequence[Any]) -> Enumeration:
    containers = [member for member in members if isinstance(member, dict | list)]
    return (
        frozenset(map(_canonical, members)),
        frozenset((type(each), len(each)) for each in containers),
        max((_values(each, None) for each in containers), default=0),
    )


def _keyword(enumerations: Sequence[Enumeration]) -> type:
    class Membership:
        """The custom keyword: raises unless the instance is a member."""

        def __init__(self, parent: Any, value: int, path: Any) -> None:
            self._members, self._shapes, self._size = enumerations[value]

        def validate(self, instance: Any) -> None:
            kind = type(instance)
            if kind is dict or kind is list:
                shape = (kind, len(instance))
                if shape not in self._shapes or _values(instance, self._size) > self._size:
                    raise _NOT_A_MEMBER
            if _canonical(instance) not in self._members:
                raise _NOT_A_MEMBER

    return Membership


_NOT_A_MEMBER = ValueError("the value is not one of the members")


def _values(container: Any, limit: int | None) -> int:
    """The values inside a container; counting ends beyond a limit."""
    count, waiting = 0, [container]
    while waiting and (limit is None or count <= limit):
        each = waiting.pop()
        count += len(each)
        below = each.values() if isinstance(each, dict) else each
        waiting += [value for value in below if isinstance(value, dict | list)]
    return count


def _canonical(value: Any) -> Any:
    """A hashable value that is equal exactly for equal JSON values."""
    if isinstance(value, bool):
        return (bool, value)
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, dict):
        return (dict, frozenset((name, _canonical(each)) for name, each in value.items()))
    if isinstance(value, list):
        return (list, tuple(map(_canonical, value)))
    return value

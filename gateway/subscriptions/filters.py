"""Filters on attributes (CloudEvents Subscriptions API, filter dialects).

A filter is an object with one member: `exact`, `prefix` or `suffix` with attributes and texts,
`all` or `any` with a list of filters, `not` with one. An attribute that is missing from an event
matches no text.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from gateway.base.errors import Invalid
from gateway.base.event import Event, attribute_text
from gateway.journal import Entry

Filter = Mapping[str, Any]
Test = Callable[[Mapping[str, str]], bool]

DEPTH = 8
SIZE = 100  # filters in one, whatever their depth
_TEXT: Mapping[str, Callable[[str, str], bool]] = {
    "exact": str.__eq__,
    "prefix": str.startswith,
    "suffix": str.endswith,
}
_NAME = re.compile(r"[a-z0-9]{1,20}")
_ADDED = frozenset({"sequence", "sequencetype", "recordedtime", "dataclassification"})
_MANY: Mapping[str, Callable[[Any], bool]] = {"all": all, "any": any}


def compile_filters(filters: Sequence[Filter]) -> Callable[[Entry], bool]:
    """One test for all of them. Raises Invalid with a pointer to an invalid filter."""
    left = [SIZE]
    tests = [_compile(each, f"/filters/{index}", 1, left) for index, each in enumerate(filters)]
    if not tests:
        return lambda entry: True
    together = _all_of(tests)
    return lambda entry: together(_texts(entry))


def _all_of(tests: Sequence[Test]) -> Test:
    """Most filters have one test or two: without the generator these are faster."""
    if len(tests) == 1:
        return tests[0]
    if len(tests) == 2:
        first, second = tests
        return lambda attributes: first(attributes) and second(attributes)
    return lambda attributes: all(test(attributes) for test in tests)


def _texts(entry: Entry) -> Mapping[str, str]:
    """Computed once for an event, for all subscriptions."""
    kept: dict[str, Any] = entry.event.__dict__
    if "texts" not in kept:
        kept["texts"] = {**_texts_of(entry.event), "publisher": entry.publisher}
    return cast(Mapping[str, str], kept["texts"])


def _texts_of(event: Event) -> Mapping[str, str]:
    texts = {name: attribute_text(value) for name, value in event.attributes.items()}
    texts |= {"specversion": "1.0", "id": event.id, "source": event.source, "type": event.type}
    if event.subject is not None:
        texts["subject"] = event.subject
    return texts


def _compile(given: object, pointer: str, depth: int, left: list[int]) -> Test:
    left[0] -= 1
    if depth > DEPTH or left[0] < 0:
        raise Invalid(f"Filters may nest {DEPTH} deep, and be {SIZE} together.", pointer=pointer)
    if not isinstance(given, Mapping) or len(given) != 1:
        raise Invalid(
            "A filter is an object with one member: exact, prefix, suffix, all, any or not.",
            pointer=pointer,
        )
    ((dialect, inner),) = given.items()
    inside = f"{pointer}/{dialect}"
    if dialect in _TEXT:
        return _compile_texts(_TEXT[dialect], inner, inside)
    if dialect in _MANY:
        return _compile_many(_MANY[dialect], inner, inside, depth, left)
    if dialect == "not":
        test = _compile(inner, inside, depth + 1, left)
        return lambda attributes: not test(attributes)
    raise Invalid(
        f"Unknown filter {str(dialect)[:40]!r}. Use exact, prefix, suffix, all, any or not.",
        pointer=pointer,
    )


def _compile_texts(holds: Callable[[str, str], bool], inner: object, pointer: str) -> Test:
    if not isinstance(inner, Mapping) or not inner:
        raise Invalid("Use attributes and texts, such as {'subject': '31'}.", pointer=pointer)
    for name, text in inner.items():
        _require_attribute(name, pointer)
        if not isinstance(text, str) or not text:
            raise Invalid(
                "The text must be a string of at least one character.", pointer=f"{pointer}/{name}"
            )
    return _all_of([_text_test(holds, name, text) for name, text in inner.items()])


def _require_attribute(name: str, pointer: str) -> None:
    """Raises Invalid for what no event has when it is filtered: nothing would ever come."""
    if not _NAME.fullmatch(name):
        raise Invalid(
            f"{name[:40]!r} is no attribute. Use at most 20 lower-case letters and digits, such as "
            "subject. Data cannot be filtered.",
            pointer=pointer,
        )
    if name in _ADDED:
        raise Invalid(
            f"{name} is added when an event is delivered. Filter on other attributes.",
            pointer=pointer,
        )


def _text_test(holds: Callable[[str, str], bool], name: str, text: str) -> Test:
    def test(attributes: Mapping[str, str]) -> bool:
        value = attributes.get(name)
        return value is not None and holds(value, text)

    return test


def _compile_many(
    join: Callable[[Any], bool], inner: object, pointer: str, depth: int, left: list[int]
) -> Test:
    if not isinstance(inner, Sequence) or isinstance(inner, str) or not inner:
        raise Invalid("Use a list of at least one filter.", pointer=pointer)
    tests = [
        _compile(each, f"{pointer}/{index}", depth + 1, left) for index, each in enumerate(inner)
    ]
    return lambda attributes: join(test(attributes) for test in tests)

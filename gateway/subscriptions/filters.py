"""Filters on attributes (CloudEvents Subscriptions API, filter dialects).

A filter is an object with one member: `exact`, `prefix` or `suffix` with attributes and texts,
`all` or `any` with a list of filters, `not` with one. An attribute that an event does not have
matches nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from gateway.base.errors import Invalid
from gateway.base.event import Event, attribute_text

Filter = Mapping[str, Any]
Test = Callable[[Mapping[str, str]], bool]

DEPTH = 8
SIZE = 100  # filters in one, whatever their depth
_TEXT: Mapping[str, Callable[[str, str], bool]] = {
    "exact": str.__eq__,
    "prefix": str.startswith,
    "suffix": str.endswith,
}
_MANY: Mapping[str, Callable[[Any], bool]] = {"all": all, "any": any}


def compile_filters(filters: Sequence[Filter]) -> Callable[[Event], bool]:
    """One test for all of them. Raises Invalid with a pointer to what is no filter."""
    left = [SIZE]
    tests = [_compile(each, f"/filters/{index}", 1, left) for index, each in enumerate(filters)]
    if not tests:
        return lambda event: True
    together = _all_of(tests)
    return lambda event: together(_texts(event))


def _all_of(tests: Sequence[Test]) -> Test:
    """Most filters have one test or two: those are spared the generator, which costs more."""
    if len(tests) == 1:
        return tests[0]
    if len(tests) == 2:
        first, second = tests
        return lambda attributes: first(attributes) and second(attributes)
    return lambda attributes: all(test(attributes) for test in tests)


def _texts(event: Event) -> Mapping[str, str]:
    """Made once for an event, however many subscriptions look at it."""
    kept: dict[str, Any] = event.__dict__
    if "texts" not in kept:
        kept["texts"] = _texts_of(event)
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
        raise Invalid(f"filters may nest {DEPTH} deep and be {SIZE} together", pointer=pointer)
    if not isinstance(given, Mapping) or len(given) != 1:
        raise Invalid(
            "a filter is an object with one member: exact, prefix, suffix, all, any or not",
            pointer=pointer,
        )
    ((dialect, inner),) = given.items()
    place = f"{pointer}/{dialect}"
    if dialect in _TEXT:
        return _compile_texts(_TEXT[dialect], inner, place)
    if dialect in _MANY:
        return _compile_many(_MANY[dialect], inner, place, depth, left)
    if dialect == "not":
        test = _compile(inner, place, depth + 1, left)
        return lambda attributes: not test(attributes)
    raise Invalid(
        f"{str(dialect)[:40]!r} is no filter: say exact, prefix, suffix, all, any or not",
        pointer=pointer,
    )


def _compile_texts(holds: Callable[[str, str], bool], inner: object, place: str) -> Test:
    if not isinstance(inner, Mapping) or not inner:
        raise Invalid("say attributes and texts, such as {'subject': '31'}", pointer=place)
    for name, text in inner.items():
        if not isinstance(text, str) or not text:
            raise Invalid(
                "the text must be a string of one character or more", pointer=f"{place}/{name}"
            )
    return _all_of([_text_test(holds, name, text) for name, text in inner.items()])


def _text_test(holds: Callable[[str, str], bool], name: str, text: str) -> Test:
    def test(attributes: Mapping[str, str]) -> bool:
        value = attributes.get(name)
        return value is not None and holds(value, text)

    return test


def _compile_many(
    join: Callable[[Any], bool], inner: object, place: str, depth: int, left: list[int]
) -> Test:
    if not isinstance(inner, Sequence) or isinstance(inner, str) or not inner:
        raise Invalid("say a list of one filter or more", pointer=place)
    tests = [
        _compile(each, f"{place}/{index}", depth + 1, left) for index, each in enumerate(inner)
    ]
    return lambda attributes: join(test(attributes) for test in tests)

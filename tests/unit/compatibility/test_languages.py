import re

import pytest

from gateway.contracts.compatibility.languages import included, lengths
from gateway.contracts.compatibility.strings import matching, stretched


@pytest.mark.parametrize(
    ("narrow", "wide", "answer"),
    [
        ("^[0-9]{16}$", "^[0-9]+$", True),
        ("^[0-9]+$", "^[0-9]{16}$", False),
        ("^a$", "a", True),
        ("a", "^a$", False),
        ("", ".*", True),
        (".*", "", True),
        ("^.*$", "", True),
        ("", "^.*$", False),  # a line end is no character of the dot
        ("^(a|b)$", "^[ab]$", True),
        ("^(?:a|bc)*$", "^[abc]*$", True),
        ("^[abc]*$", "^(?:a|bc)*$", False),
        ("^$", "^a?$", True),
        ("^a?$", "^$", False),
        ("a|b", "[ab]", True),
        ("^a|b$", "^a", False),
        (r"^\d$", "^[0-9]$", True),
        (r"^[^\d]$", r"^\D$", True),
        (r"^\w$", "^[A-Za-z0-9_]$", True),
        (r"^\s$", r"^[^a]$", True),
        ("^a{2,3}$", "^a{1,4}$", True),
        ("^a{1,4}$", "^a{2,3}$", False),
        ("^(ab)+$", "^(ab)*$", True),
        ("$^", "^$", True),
        ("x^", "^never$", True),  # nothing matches it
        (r"^[^\x00-\x1f\x7f]+$", "^.+$", False),  # U+2028
        (r"^v1\.0$", "^v1.0$", True),
        (r"^a\/b$", "^a/b$", True),
        ("^.{1,3}$", "^.{1,3}$", True),
    ],
)
def test_inclusion_of_patterns(narrow: str, wide: str, answer: bool) -> None:
    assert included(narrow, wide) is answer


@pytest.mark.parametrize(
    "pattern",
    ["^(?=a)b$", "^(?!a)b$", r"^(a)\1$", "(?i)a", r"\bwort\b", r"\p{L}", "(", "a{3000}{3000}"],
)
def test_what_is_not_regular_or_too_big_is_not_decided(pattern: str) -> None:
    assert included(pattern, "^z$") is None


def test_only_short_texts_may_be_asked_about() -> None:
    assert included("^a{3,6}$", "^a{3,5}$") is False
    assert included("^a{3,6}$", "^a{3,5}$", 5) is True


def test_a_comparison_that_grows_too_big_ends() -> None:
    assert included("^(a|b)*a(a|b){14}$", "^(a|b)*b(a|b){14}$") in (None, False)


@pytest.mark.parametrize(
    ("pattern", "bounds"),
    [
        ("^[0-9]{16}$", (16, 16)),
        ("^a{2,5}$", (2, 5)),
        ("a{2,5}", (2, None)),
        ("^a+$", (1, None)),
        ("^a|b$", (1, None)),
        ("", (0, None)),
        ("(", (0, None)),
        ("^", (0, None)),
    ],
)
def test_lengths_that_a_pattern_allows(pattern: str, bounds: tuple[int, int | None]) -> None:
    assert lengths(pattern) == bounds


@pytest.mark.parametrize(
    "pattern",
    ["^[0-9]{16}$", "^[A-Z]{2}-(?:1|2)+$", "^[^a-z]$", r"^\d\s\w\D\W$", "^.x?$", "^[a-c]*?z$"],
)
def test_texts_are_written_that_match(pattern: str) -> None:
    texts = matching(pattern)
    assert texts
    assert all(re.search(pattern, text) for text in texts)


def test_a_text_of_a_wanted_length() -> None:
    assert len(stretched("^[a-z][a-z ]*$", 77)) == 77
    assert matching("(") == ("",)

"""Event types and patterns: what is one, what falls under it, and RabbitMQ's view of the same."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.base import type_pattern
from gateway.base.errors import Invalid

WORDS = st.sampled_from(["dukcapil", "ktp", "nik", "dibuat", "a-b", "0"])
MAJORS = st.sampled_from(["v1", "v2", "v10"])
TYPES = st.tuples(WORDS, WORDS, WORDS, MAJORS).map(lambda words: ".".join(("id.go", *words)))


@st.composite
def patterns(draw: st.DrawFn) -> str:
    """A well-formed pattern, made of few words so that it often matches."""
    places = draw(st.lists(WORDS | st.just("*"), max_size=3))
    last = draw(MAJORS | st.just("*")) if len(places) == 3 else "*"
    return ".".join(("id.go", *places, last))


def amqp_matches(binding: str, key: str) -> bool:
    """A topic exchange's rule (AMQP 0-9-1, section 3.1.3.3), written down once more."""
    each = {"*": r"\.[^.]+", "#": r"(\.[^.]+)*"}
    rule = "".join(each.get(word, re.escape("." + word)) for word in binding.split("."))
    return re.fullmatch(rule, "." + key) is not None


@pytest.mark.parametrize(
    "text",
    [
        "id.go.dukcapil.ktp.dibuat.v1",
        "id.go.dukcapil.*",
        "id.go.*",
        "id.go.*.ktp.dibuat.v1",
        "id.go.dukcapil.*.*",
        "id.go.dukcapil.*.dibuat.*",
        "id.go.*.*.*.v12",
        "id.go.dinas-x.laporan.bulanan.*",
    ],
)
def test_these_are_patterns(text: str) -> None:
    assert len(type_pattern.parse(text)) == 6


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "#",
        "id",
        "id.go",
        "id.*",
        "id.*.dukcapil.ktp.dibuat.v1",
        "*.go.dukcapil.ktp.dibuat.v1",
        "id.go.dukcapil",
        "id.go.dukcapil.#",
        "id.go.dukcapil.ktp.dibuat",
        "id.go.dukcapil.ktp.dibuat.1",
        "id.go.dukcapil.ktp.dibuat.v0",
        "id.go.dukcapil.ktp.dibuat.v1.*",
        "id.go.dukcapil.ktp.dibuat.v1.x",
        "id.go.dukcapil.k*",
        "id.go.dukcapil.**",
        "id.go..*",
        "id.go.dukcapil.*.",
        ".id.go.dukcapil.*",
        "id.go.Dukcapil.*",
        "id.go.duk capil.*",
        "id.go.dukcapil.*\n",
        "id.go.-x.*",
        "id.go.dukçapil.*",
        f"id.go.{'x' * 255}.*",
    ],
)
def test_these_are_not(text: str) -> None:
    with pytest.raises(Invalid):
        type_pattern.parse(text)
    assert not type_pattern.is_event_type(text)


@pytest.mark.parametrize(
    ("pattern", "type", "expected"),
    [
        ("id.go.dukcapil.ktp.dibuat.v1", "id.go.dukcapil.ktp.dibuat.v1", True),
        ("id.go.dukcapil.ktp.dibuat.v1", "id.go.dukcapil.ktp.dibuat.v10", False),
        ("id.go.dukcapil.*", "id.go.dukcapil.ktp.dibuat.v1", True),
        ("id.go.dukcapil.*", "id.go.dukcapil2.ktp.dibuat.v1", False),
        ("id.go.dukcapil.*", "id.go.dukcapil", False),
        ("id.go.*.ktp.dibuat.v1", "id.go.bps.ktp.dibuat.v1", True),
        ("id.go.*.ktp.dibuat.v1", "id.go.a.b.ktp.dibuat.v1", False),
        ("id.go.dukcapil.*", "id.go.dukcapil.a.b.c.v1", False),
    ],
)
def test_matches(pattern: str, type: str, expected: bool) -> None:
    assert type_pattern.matches(pattern, type) is expected


@pytest.mark.parametrize(
    ("pattern", "other", "expected"),
    [
        ("id.go.*", "id.go.dukcapil.*", True),
        ("id.go.dukcapil.*", "id.go.*", False),
        ("id.go.dukcapil.*", "id.go.dukcapil.*.dibuat.v1", True),
        ("id.go.dukcapil.*", "id.go.*.ktp.dibuat.v1", False),
        ("id.go.dukcapil.*.*", "id.go.dukcapil.*", True),
        ("id.go.dukcapil.ktp.dibuat.v1", "id.go.dukcapil.ktp.dibuat.*", False),
    ],
)
def test_covers(pattern: str, other: str, expected: bool) -> None:
    assert type_pattern.covers(pattern, other) is expected


@given(patterns(), patterns(), TYPES)
def test_what_is_covered_is_matched(pattern: str, other: str, type: str) -> None:
    if type_pattern.covers(pattern, other) and type_pattern.matches(other, type):
        assert type_pattern.matches(pattern, type)


@given(patterns(), patterns())
def test_what_is_not_covered_has_a_type_to_show_for_it(pattern: str, other: str) -> None:
    filled = ["unseen" if word == "*" else word for word in type_pattern.parse(other)]
    type = ".".join([*filled[:5], "v99" if filled[5] == "unseen" else filled[5]])
    assert type_pattern.matches(other, type)
    assert type_pattern.covers(pattern, other) == type_pattern.matches(pattern, type)


@given(patterns(), TYPES)
@example("id.go.dukcapil.ktp.dibuat.*", "id.go.dukcapil.ktp.dibuat.v1")
@example("id.go.*", "id.go.dukcapil.ktp.dibuat.v1")
def test_rabbitmq_agrees(pattern: str, type: str) -> None:
    binding = type_pattern.to_topic_binding(pattern)
    assert amqp_matches(binding, type) == type_pattern.matches(pattern, type)


@given(st.lists(patterns(), max_size=3), TYPES)
def test_one_expression_says_the_same(several: list[str], type: str) -> None:
    found = re.search(type_pattern.expression(several), type) is not None
    assert found == any(type_pattern.matches(pattern, type) for pattern in several)


@pytest.mark.parametrize(
    ("pattern", "binding"),
    [
        ("id.go.dukcapil.ktp.dibuat.v1", "id.go.dukcapil.ktp.dibuat.v1"),
        ("id.go.dukcapil.*", "id.go.dukcapil.#"),
        ("id.go.*.ktp.dibuat.v1", "id.go.*.ktp.dibuat.v1"),
        ("id.go.dukcapil.*.*", "id.go.dukcapil.*.#"),
    ],
)
def test_bindings(pattern: str, binding: str) -> None:
    assert type_pattern.to_topic_binding(pattern) == binding


@given(TYPES)
def test_every_type_is_a_pattern_of_itself(type: str) -> None:
    assert type_pattern.is_event_type(type)
    assert type_pattern.matches(type, type)


@given(st.text(max_size=40))
def test_no_text_upsets_a_match(text: str) -> None:
    type_pattern.matches("id.go.dukcapil.*", text)


QUESTION = "id.go.uji.tanya.diajukan.v1"


def test_the_type_of_a_reply() -> None:
    reply = type_pattern.reply_type(QUESTION)
    assert type_pattern.is_reply(reply)
    assert not type_pattern.is_reply(QUESTION)
    assert type_pattern.request_type(reply) == type_pattern.request_type(QUESTION) == QUESTION


def test_replies_are_subscribed_to_by_their_type_alone() -> None:
    reply = type_pattern.reply_type(QUESTION)
    assert type_pattern.words_of(reply) == (*QUESTION.split("."), "reply")
    assert type_pattern.matches(reply, reply)
    assert re.fullmatch(type_pattern.expression([reply]), reply)
    for pattern in ("id.go.*", "id.go.uji.*", "id.go.uji.tanya.diajukan.*", QUESTION):
        assert not type_pattern.matches(pattern, reply)
        assert not re.fullmatch(type_pattern.expression([pattern]), reply)
    for other in (QUESTION, f"{reply}.reply", "id.go.uji.tanya.diajukan.v2.reply"):
        assert not type_pattern.matches(reply, other)


@pytest.mark.parametrize(
    "text", ["id.go.uji.*.reply", f"{QUESTION}.reply.reply", ".reply", "reply"]
)
def test_what_names_no_replies(text: str) -> None:
    with pytest.raises(Invalid):
        type_pattern.words_of(text)


def test_the_type_of_replies_is_no_pattern_to_grant() -> None:
    with pytest.raises(Invalid):
        type_pattern.parse(type_pattern.reply_type(QUESTION))

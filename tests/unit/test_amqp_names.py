"""Names on the wire."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.base import type_pattern
from gateway.base.errors import Invalid
from gateway.broker import names

WORDS = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,40}", fullmatch=True)


def topic_matches(binding: str, key: str) -> bool:
    """RabbitMQ's rule: `*` is one word, `#` is any number of them, none included."""
    expression = r"\.".join(
        "[^.]+" if word == "*" else ".*" if word == "#" else re.escape(word)
        for word in binding.split(".")
    ).replace(r"\..*", r"(\..*)?")
    return re.fullmatch(expression, key) is not None


def test_a_queue_is_named_by_organisation_and_subscription() -> None:
    assert names.queue("dukcapil", "penduduk") == "sub.dukcapil.penduduk"
    assert names.private_key("sub.dukcapil.penduduk", 7) == "to.sub.dukcapil.penduduk.7"
    assert names.header("subject") == "ce-subject"


@given(organisation=WORDS, subscription=WORDS)
def test_a_queue_tells_its_owner(organisation: str, subscription: str) -> None:
    queue = names.queue(organisation, subscription)
    assert names.owner(queue) == (organisation, subscription)
    assert names.user(queue) == queue


@pytest.mark.parametrize("queue", ["bus.dead", "sub.a", "sub.a.b.c", "sub..b", "amq.gen-x", ""])
def test_a_queue_of_no_subscription_has_no_owner(queue: str) -> None:
    assert names.owner(queue) is None


@pytest.mark.parametrize(
    ("organisation", "subscription"),
    [
        ("", "x"),
        ("a.b", "x"),
        ("a", "x y"),
        ("a", "é"),
        ("a", "x\n"),
        ("-a", "x"),
        ("a", "x" * 260),
    ],
)
def test_what_cannot_be_a_queue_name_is_refused(organisation: str, subscription: str) -> None:
    with pytest.raises(Invalid):
        names.queue(organisation, subscription)


@given(pattern=st.from_regex(r"id\.go(\.[a-z0-9]{1,6}){0,3}\.\*", fullmatch=True))
def test_no_binding_matches_a_private_key(pattern: str) -> None:
    binding = type_pattern.to_topic_binding(pattern)
    assert not topic_matches(binding, names.private_key(names.queue("a", "b"), 1))

"""The rules about streams over gRPC: a good run keeps them, and each way of going wrong is seen."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.faults.checker import check
from tests.faults.good_run import a_good_run, a_row, an_attempt, breaks
from tests.faults.observed import Minimum, Observed
from tests.faults.run_log import Answer, Kind, Reply, Resumption
from tests.faults.test_checker import let

NO_ANSWER = Reply(Answer.UNKNOWN, 0)


def resume(seen: Observed, answered: int, stored: int, sent: int, *events: int) -> None:
    """A stream goes on after `stored`; these events were sent and had no answer."""
    rows = [a_row(number) for number in events]
    unanswered = [(row.identity, row.digest) for row in rows]
    seen.run_log.resumptions.append(Resumption("s-1", answered, stored, sent, unanswered))


def lose_what_is_said_to_be_stored(seen: Observed) -> None:
    resume(seen, 1, 2, 3, 3, 4)


def store_another(seen: Observed) -> None:
    seen.rows = [*seen.rows[:-1], replace(seen.rows[-1], digest=b"other")]
    resume(seen, 1, 2, 3, 3)


STREAM_DAMAGES: list[tuple[str, Callable[[Observed], None]]] = [
    ("resumed", lose_what_is_said_to_be_stored),
    ("resumed", store_another),
    ("enough-streamed", let(minimum=Minimum(resumed=1))),
    ("enough-streamed", let(minimum=Minimum(expired=1))),
]


@pytest.mark.parametrize(("rule", "damage"), STREAM_DAMAGES)
def test_each_way_of_going_wrong_breaks_its_rule(
    rule: str, damage: Callable[[Observed], None]
) -> None:
    assert breaks(rule, damage)


@pytest.mark.parametrize(("stored", "broken"), [(1, True), (2, False), (4, False), (5, True)])
def test_a_stream_goes_on_between_what_was_answered_and_sent(stored: int, broken: bool) -> None:
    assert breaks("resumed", lambda seen: resume(seen, 2, stored, 4)) is broken


def test_a_stored_event_without_an_answer_counts_as_accepted() -> None:
    seen = a_good_run()
    last = seen.run_log.attempts[-1]
    seen.run_log.attempts[-1] = replace(last, reply=NO_ANSWER, streamed=True)
    assert "answers" in check(seen)
    resume(seen, 1, 2, 2, 3)
    assert not check(seen)


def test_a_chunk_may_be_tried_again_by_the_gateway_itself() -> None:
    def repeat(seen: Observed, *, streamed: bool) -> None:
        row = a_row(1)
        reply = Reply(Answer.OK, 202, 0, 1, row.digest, duplicate=True)
        seen.run_log.attempts[0] = an_attempt(row, reply=reply, kind=Kind.NEW, streamed=streamed)

    assert breaks("duplicates", lambda seen: repeat(seen, streamed=False))
    assert not breaks("duplicates", lambda seen: repeat(seen, streamed=True))


def test_a_stream_that_is_opened_at_first_is_not_resumed() -> None:
    def demand(seen: Observed, resumed: int) -> None:
        seen.minimum = Minimum(resumed=resumed)
        resume(seen, 0, 0, 0)
        resume(seen, 1, 2, 2)

    assert not breaks("enough-streamed", lambda seen: demand(seen, 1))
    assert breaks("enough-streamed", lambda seen: demand(seen, 2))

"""The labelled suite: no wrong answer, and every question that stays open is known."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from gateway.contracts.compatibility import CompatibilityChecker, Incompatible, Undecided
from tests.compatibility.agreement import Answered, answered, known, report
from tests.compatibility.questions import questions


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def answers() -> AsyncIterator[list[Answered]]:
    checker = CompatibilityChecker()
    yield await answered(questions(), checker)
    await checker.close()


@pytest.mark.asyncio(loop_scope="module")
async def test_there_are_several_hundred_questions_of_each_answer(answers: list[Answered]) -> None:
    assert len(answers) > 700
    assert sum(each.question.compatible for each in answers) > 300
    assert sum(not each.question.compatible for each in answers) > 200


@pytest.mark.asyncio(loop_scope="module")
async def test_no_answer_is_wrong(answers: list[Answered]) -> None:
    wrong = [a for a in answers if not a.agrees and not isinstance(a.result, Undecided)]
    assert not wrong, report(wrong)


@pytest.mark.asyncio(loop_scope="module")
async def test_what_stays_open_is_known_with_its_reason(answers: list[Answered]) -> None:
    assert {str(each.question) for each in answers if not each.agrees} == known().keys()


@pytest.mark.asyncio(loop_scope="module")
async def test_every_loss_is_shown_by_a_document(answers: list[Answered]) -> None:
    losses = [each.result for each in answers if isinstance(each.result, Incompatible)]
    assert all(each.counterexample is not None for each in losses)


@pytest.mark.asyncio(loop_scope="module")
async def test_every_loss_is_explained_by_a_change(answers: list[Answered]) -> None:
    unexplained = [
        str(each.question)
        for each in answers
        if isinstance(each.result, Incompatible) and not each.result.changes
    ]
    assert not unexplained


def test_names_are_unique() -> None:
    names = [str(each) for each in questions()]
    assert len(set(names)) == len(names)

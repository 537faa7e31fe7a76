"""A group commit in which some members cannot be stored."""

from collections.abc import Sequence

import asyncpg
import pytest

from gateway.base.errors import Conflict, Invalid
from gateway.journal.group_commit import commit_apart

MEMBERS = [str(number) for number in range(100)]


class Store:
    """Takes groups without a member of `bad`; each attempt counts."""

    def __init__(self, **bad: Exception) -> None:
        self.bad = {name.removeprefix("_"): error for name, error in bad.items()}
        self.stored: list[str] = []
        self.failed: dict[str, Exception] = {}
        self.attempts = 0

    async def commit(self, group: Sequence[str]) -> None:
        self.attempts += 1
        for each in group:
            if each in self.bad:
                raise self.bad[each]
        self.stored += group

    def fail(self, member: str, error: Exception) -> None:
        self.failed[member] = error


async def test_a_group_without_fault_is_one_commit() -> None:
    store = Store()
    await commit_apart(MEMBERS, store.commit, store.fail)
    assert (store.stored, store.attempts, store.failed) == (MEMBERS, 1, {})


async def test_only_the_member_that_is_refused_fails_and_the_order_stays() -> None:
    conflict, defect = Conflict("no"), ZeroDivisionError()
    store = Store(_0=asyncpg.DataError("bad"), _57=conflict, _99=defect)
    await commit_apart(MEMBERS, store.commit, store.fail)
    assert store.stored == [each for each in MEMBERS if each not in store.bad]
    assert store.failed.keys() == store.bad.keys()
    assert isinstance(store.failed["0"], Invalid)
    assert (store.failed["57"], store.failed["99"]) == (conflict, defect)
    assert store.attempts < 50


async def test_an_outage_ends_it_at_once() -> None:
    store = Store(_3=asyncpg.InterfaceError("connection is closed"))
    with pytest.raises(asyncpg.InterfaceError):
        await commit_apart(MEMBERS, store.commit, store.fail)
    assert (store.stored, store.attempts, store.failed) == ([], 1, {})

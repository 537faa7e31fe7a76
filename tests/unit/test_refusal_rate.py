"""An organisation cannot fill the disk with refusals."""

from typing import Any

import pytest

from gateway.base.errors import JournalUnavailable
from gateway.journal.refusals import NOT_KEPT, RATE, Refusal, Refusals


def refusals_of(organisation: str, count: int) -> list[Refusal]:
    one = Refusal("a client", organisation, None, None, None, "malformed", "No.", (), b"")
    return [one] * count


async def test_what_is_too_much_is_counted_and_not_stored() -> None:
    async def connect() -> Any:
        raise ConnectionRefusedError("there is no database: what would be stored fails")

    pool: Any = None
    refusals = Refusals(connect, pool, timeout=30)
    refusals.start()
    try:
        with pytest.raises(JournalUnavailable):
            await refusals.record(refusals_of("uji", int(RATE.burst)))
        before = NOT_KEPT._value.get()
        await refusals.record(refusals_of("uji", 3))
        assert NOT_KEPT._value.get() == before + 3
        with pytest.raises(JournalUnavailable):
            await refusals.record(refusals_of("lain", 1))
    finally:
        await refusals.close()

"""Validation in worker processes: the same answers, bounded, in fair turns, and never in the way.

The schemas are hostile and were not admitted: admission refuses most of them.
"""

import asyncio

import pytest
import uvloop

from gateway.base import strict_json
from gateway.base.errors import (
    ContractViolation,
    Malformed,
    Overloaded,
    TooExpensive,
    Unavailable,
)
from gateway.contracts import ValidationPool, mask_personal_data, validation_pool
from gateway.contracts.validation_pool import tasks
from gateway.contracts.version_schema import VersionSchema
from tests.unit.contracts.validation_pools import (
    CHEAP,
    ENDLESS_DATA,
    EXPENSIVE,
    PERSON,
    TYPE,
    children,
    endless,
    opened,
    schema,
    working,
)
from tests.waiting import eventually


@pytest.mark.parametrize("closed", [False, True])
async def test_the_answers_are_those_of_the_validator(closed: bool) -> None:
    person = VersionSchema(TYPE, 1, PERSON.text, closed)
    documents = [b'{"n":1}', b'{"n":6}', b"{}", b'{"n":1,"x":2}', b'{"n":"a","m":1}', b"[]", b"1"]
    async with opened() as pool:
        for data in documents:
            parsed, expected = strict_json.parse(data), person.compiled()
            if expected.accepts(parsed):
                await pool.validate(data, person, "uji", expected=CHEAP)
                continue
            with pytest.raises(ContractViolation) as caught:
                await pool.validate(data, person, "uji", expected=CHEAP)
            violations, total = expected.explain(parsed)
            assert caught.value.violations == tuple(violations)
            assert (caught.value.total, caught.value.type) == (total, TYPE)
        assert len(children()) == 1, "one worker is enough for one after another"


@pytest.mark.parametrize("data", [b'{"n":1,"n":2}', b"{", b"[1e999]", b"\xff", b"[" * 100_000])
async def test_what_is_not_strict_json_is_said_as_ever(data: bytes) -> None:
    with pytest.raises(Malformed) as expected:
        strict_json.parse(data)
    async with opened() as pool:
        with pytest.raises(Malformed) as caught:
            await pool.validate(data, PERSON, "uji", expected=CHEAP)
    assert str(caught.value) == str(expected.value)
    assert (caught.value.pointer, caught.value.byte) == (
        expected.value.pointer,
        expected.value.byte,
    )


async def test_a_worker_keeps_schemas_and_forgets_the_oldest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent: list[int] = []

    def noted(task: tasks.Task) -> bytes:
        sent.append(task.schema.version if task.schema else 0)
        return tasks.encode(task)

    monkeypatch.setattr(validation_pool, "encode", noted)
    async with opened() as pool:
        for version in (1, 1, *range(2, 66), 1):
            made = schema({"const": version}, version=version)
            await pool.validate(str(version).encode(), made, "uji", expected=CHEAP)
    assert sent[:3] == [0, 1, 0], "the schema is sent once"
    assert sent[-2:] == [0, 1], "and again when it was forgotten"


async def test_an_event_above_the_limit_is_refused_and_the_next_one_is_not() -> None:
    async with opened(workers=1, seconds=0.1) as pool:
        with pytest.raises(TooExpensive, match=rf"{TYPE} version 1 .* Send smaller data"):
            await pool.validate(ENDLESS_DATA, endless(), "uji", expected=EXPENSIVE)
        await pool.validate(b'{"n":1}', PERSON, "uji", expected=CHEAP)


async def test_what_is_not_as_cheap_as_expected_is_validated_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(validation_pool, "_LIGHT_LIMIT", 0.05)
    data = b"[" + b",".join([b"1"] * 300_000) + b"]"
    slow = schema({"items": {"anyOf": [{"multipleOf": 7}] * 9 + [{"type": "integer"}]}})
    async with opened(seconds=30.0) as pool:
        await pool.validate(data, slow, "uji", expected=CHEAP)


async def test_two_organisations_at_work_do_not_delay_what_is_cheap() -> None:
    async with opened(workers=2, seconds=60.0) as pool:
        heavy = [
            asyncio.create_task(pool.validate(ENDLESS_DATA, endless(), by, expected=EXPENSIVE))
            for by in ("jahat", "jahat", "buruk", "buruk")
        ]
        await asyncio.to_thread(eventually, working)
        for _ in range(20):
            await pool.validate(b'{"n":1}', PERSON, "korban", expected=CHEAP)
        assert len(children()) == 2
        assert not any(task.done() for task in heavy)
        await stopped(heavy)


async def test_one_organisation_with_cheap_events_does_not_take_every_worker() -> None:
    async with opened(workers=2, seconds=60.0) as pool:
        heavy = asyncio.create_task(
            pool.validate(ENDLESS_DATA, endless(), "jahat", expected=EXPENSIVE)
        )
        await asyncio.to_thread(eventually, working)
        more = asyncio.create_task(pool.validate(b'{"n":1}', PERSON, "jahat", expected=CHEAP))
        await pool.validate(b'{"n":1}', PERSON, "korban", expected=CHEAP)
        assert not more.done(), "its own come after its expensive one"
        await stopped([heavy, more])


async def test_what_waits_is_bounded_in_number_and_time() -> None:
    async with opened(workers=1, seconds=60.0, queue=1, wait=60.0) as pool:
        first, second = (
            asyncio.create_task(pool.validate(ENDLESS_DATA, endless(), "jahat", expected=EXPENSIVE))
            for _ in range(2)
        )
        await asyncio.to_thread(eventually, working)
        with pytest.raises(Overloaded, match="Try again later") as caught:
            await pool.validate(b"1", PERSON, "jahat", expected=EXPENSIVE)
        assert caught.value.retry_after > 0
        pool._wait = 0.01
        with pytest.raises(Overloaded, match="are busy"):
            await pool.validate(b"1", PERSON, "korban", expected=CHEAP)
        await stopped([first, second])
        pool._wait = 60.0
        await pool.validate(b'{"n":1}', PERSON, "korban", expected=CHEAP)


async def stopped(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_worker_that_was_killed_is_replaced() -> None:
    async with opened() as pool:
        await pool.validate(b'{"n":1}', PERSON, "uji", expected=CHEAP)
        children()[0].kill()
        await pool.validate(b'{"n":1}', PERSON, "uji", expected=CHEAP)


def test_a_dead_worker_is_replaced_on_the_loop_of_the_gateway_too() -> None:
    async def killed_between_two_events() -> None:
        async with opened() as pool:
            await pool.validate(b'{"n":1}', PERSON, "uji", expected=CHEAP)
            (worker,) = children()
            worker.kill()
            pipe = pool._idle[True][0]._stdin.transport
            await asyncio.to_thread(eventually, pipe.is_closing)
            await pool.validate(b'{"n":1}', PERSON, "uji", expected=CHEAP)

    uvloop.run(killed_between_two_events())


async def test_what_ends_its_worker_twice_is_refused() -> None:
    async with opened(workers=1) as pool:
        validating = asyncio.create_task(
            pool.validate(ENDLESS_DATA, endless(), "uji", expected=EXPENSIVE)
        )
        killed: set[int] = set()

        def kill() -> bool:
            found = [
                each
                for each in children()
                if each.pid not in killed and each.cpu_times().user > 0.3
            ]
            for each in found:
                killed.add(each.pid)
                each.kill()
            return bool(found)

        await asyncio.to_thread(eventually, kill)
        await asyncio.to_thread(eventually, kill)
        with pytest.raises(TooExpensive):
            await validating


async def test_a_worker_that_does_not_start_is_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation_pool, "_MODULE", "gateway.contracts.none")
    async with opened() as pool:
        with pytest.raises(Unavailable, match="does not start") as caught:
            await pool.validate(b"1", PERSON, "uji", expected=CHEAP)
        assert caught.value.retry_after > 0


async def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation_pool, "_MEMORY", 120 << 20)
    async with opened() as pool:
        with pytest.raises(TooExpensive):
            await pool.validate(
                b"[" + b",".join([b'{"a":{}}'] * 900_000) + b"]", PERSON, "uji", expected=CHEAP
            )


async def test_what_is_under_way_at_the_end_may_be_repeated() -> None:
    pool = ValidationPool(seconds=60.0)
    under_way = asyncio.create_task(
        pool.validate(ENDLESS_DATA, endless(), "uji", expected=EXPENSIVE)
    )
    await asyncio.to_thread(eventually, working)
    await pool.close()
    with pytest.raises(Unavailable, match="Repeat the request"):
        await under_way
    with pytest.raises(Unavailable, match="Repeat the request"):
        await pool.validate(b"1", PERSON, "uji", expected=CHEAP)
    assert children() == []


async def test_personal_data_are_masked_and_numbers_stay_as_they_were_sent() -> None:
    marked = schema(
        {"properties": {"nik": {"x-pii": "nik"}, "a": {"items": {"$ref": "#/properties/nik"}}}}
    )
    data = b'{"nik":"3273015104089901","n":1.10,"m":12345678901234567890123,"a":[1,{"b":2}]}'
    async with opened() as pool:
        masked = await pool.mask(data, marked, "uji")
        assert masked is not None
        assert strict_json.parse(masked) == mask_personal_data(
            strict_json.parse(marked.text), strict_json.parse(data)
        )
        assert b'"n":1.10,"m":12345678901234567890123' in masked
        assert await pool.mask(b"1", schema({}), "uji") == b"1"


async def test_what_takes_too_long_to_mask_is_not_shown_and_the_loop_goes_on() -> None:
    marked = schema({"items": {"properties": {"nik": {"x-pii": "nik"}}}})
    data = b"[" + b",".join([b'{"nik":1}'] * 60_000) + b"]"  # half a second of CPU
    async with opened(workers=1, seconds=0.005) as pool:
        task = asyncio.create_task(pool.mask(data, marked, "uji"))
        beats = 0
        while not task.done():
            await asyncio.sleep(0)
            beats += 1
        assert await task is None
        assert beats > 100, "the loop was held"

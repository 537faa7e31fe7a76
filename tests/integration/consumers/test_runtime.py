"""The consumer runtime on a real broker and database: exactly one effect, whatever happens."""

import asyncio
import os
import signal
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from adapters.client import Nusabus
from consumers.events import Event
from consumers.inbox import Inbox
from consumers.outcomes import DONE, Outcome, Reject, Retry
from consumers.reporting import Reporter
from deploy.local.rabbitmq import RabbitMQ
from tests.builders import FREE, a_document
from tests.bus import Actor
from tests.integration.consumers.running import (
    QUICK,
    Running,
    effects,
    publish,
    record,
    subscribe,
    until,
)
from tests.integration.test_ledger import stages
from tests.waiting import eventually


async def test_each_event_has_one_effect(uji: Actor, inbox: Inbox, database: str) -> None:
    subscribed = await subscribe(uji)
    async with Running(subscribed, inbox, record) as consumer:
        sent = await publish(uji, 20)
        await until(lambda: consumer.counts.handled == 20)
    assert sorted(id for id, _ in await effects(database)) == sorted(sent)


async def test_one_key_is_handled_in_order_though_attempts_fail(
    uji: Actor, inbox: Inbox, database: str
) -> None:
    failed: set[str] = set()

    async def sometimes(event: Event, session: AsyncSession) -> Outcome:
        await record(event, session)
        if event.id not in failed:
            failed.add(event.id)
            return Retry("not yet", after=0.01)
        return DONE

    subscribed = await subscribe(uji)
    async with Running(subscribed, inbox, sometimes) as consumer:
        sent = await publish(uji, 10, subject="a")
        await until(lambda: consumer.counts.handled == 10)
        assert consumer.counts.retried == 10
    assert [id for id, _ in await effects(database)] == sent


@pytest.mark.parametrize("state", ["57P03", "53300"])
async def test_a_database_that_starts_or_is_full_costs_no_attempt(
    uji: Actor, inbox: Inbox, database: str, state: str
) -> None:
    tries = 0

    async def late(event: Event, session: AsyncSession) -> Outcome:
        nonlocal tries
        tries += 1
        if tries <= 2 * QUICK.attempts:
            raising = f"DO $$BEGIN RAISE EXCEPTION 'away' USING ERRCODE = '{state}'; END$$"
            await session.execute(text(raising))
        return await record(event, session)

    subscribed = await subscribe(uji)
    async with Running(subscribed, inbox, late) as consumer:
        (sent,) = await publish(uji, 1, subject="a")
        await until(lambda: consumer.counts.handled == 1)
        assert (consumer.counts.retried, consumer.counts.rejected) == (0, 0)
    assert await effects(database) == [(sent, "a")]


async def test_what_cannot_be_handled_becomes_a_dead_letter(
    uji: Actor, inbox: Inbox, database: str
) -> None:
    async def handle(event: Event, session: AsyncSession) -> Outcome:
        await record(event, session)
        if event.subject == "never":
            return Reject("unknown subject")
        raise LookupError("a defect")

    subscribed = await subscribe(uji)
    async with Running(subscribed, inbox, handle) as consumer:
        await publish(uji, 1, subject="never")
        await publish(uji, 1, subject="defect")
        await until(lambda: consumer.counts.rejected == 2)
        assert consumer.counts.retried == 2
    assert await effects(database) == []

    def dead() -> Any:
        query = {"subscription": subscribed.name}
        found = uji.get("/v1/dead-letters", params=query).json()["items"]
        return len(found) == 2

    await asyncio.to_thread(eventually, dead)


async def test_a_stop_leaves_nothing_half_done(uji: Actor, inbox: Inbox, database: str) -> None:
    begun = asyncio.Event()

    async def slow(event: Event, session: AsyncSession) -> Outcome:
        await record(event, session)
        begun.set()
        await asyncio.sleep(0.3)
        return DONE

    subscribed = await subscribe(uji)
    sent = await publish(uji, 3, subject="a")
    async with Running(subscribed, inbox, slow):
        await begun.wait()
    first = [id for id, _ in await effects(database)]
    assert first == sent[: len(first)]
    assert len(first) < 3
    async with Running(subscribed, inbox, record) as second:
        await until(lambda: second.counts.handled == 3 - len(first))
    assert [id for id, _ in await effects(database)] == sent


async def test_a_lost_broker_connection_is_made_again(
    uji: Actor, inbox: Inbox, database: str, rabbitmq: RabbitMQ
) -> None:
    subscribed = await subscribe(uji)
    async with Running(subscribed, inbox, record) as consumer:
        await publish(uji, 5)
        await until(lambda: consumer.counts.handled == 5)
        await asyncio.to_thread(
            rabbitmq.ctl, "close_all_user_connections", subscribed.queue, "a test"
        )
        await until(lambda: consumer.counts.reconnected == 1)
        await publish(uji, 5)
        await until(lambda: consumer.counts.handled == 10)
    assert len(await effects(database)) == 10


async def test_dying_between_effect_and_acknowledgement_repeats_nothing(
    uji: Actor, database: str
) -> None:
    subscribed = await subscribe(uji)
    sent = await publish(uji, 30)
    environ = {
        **os.environ,
        "AMQP_URL": subscribed.url,
        "QUEUE": subscribed.queue,
        "DATABASE_URL": database,
    }

    async def run(die: int) -> subprocess.Popen[bytes]:
        return await asyncio.to_thread(
            subprocess.Popen,
            [sys.executable, "-m", "tests.integration.consumers.recorder"],
            env={**environ, "DIE": str(die)},
        )

    for die in (3, 7):
        process = await run(die)
        assert await asyncio.to_thread(process.wait, 60) == -signal.SIGKILL
    process = await run(0)
    try:
        async with asyncio.timeout(40):
            while len(await effects(database)) < 30:  # noqa: ASYNC110 - nothing tells it
                await asyncio.sleep(0.1)
    finally:
        process.terminate()
        assert await asyncio.to_thread(process.wait, 60) == 0
    assert sorted(id for id, _ in await effects(database)) == sorted(sent)


async def test_an_inbox_forgets_what_is_old(inbox: Inbox) -> None:
    event = Event("1", "/uji", FREE)
    async with inbox.once(event) as first:
        assert first is not None
    async with inbox.once(event) as second:
        assert second is None
    assert await inbox.forget(timedelta(days=1)) == 0
    assert await inbox.forget(timedelta(0)) == 1
    async with inbox.once(event) as third:
        assert third is not None


async def test_what_was_settled_is_reported(uji: Actor, inbox: Inbox, database: str) -> None:
    subscribed = await subscribe(uji)
    url = str(uji.bus.http.base_url)
    async with Nusabus(url, uji.id, uji.secret) as bus:
        reporter = Reporter(lambda them: bus.acknowledged(subscribed.name, them), every=3600)
        async with Running(subscribed, inbox, record, reporter=reporter) as consumer:
            receipt = (await asyncio.to_thread(uji.publish, a_document())).json()
            await publish(uji, 4)
            await until(lambda: consumer.counts.handled == 5)
    assert reporter.reported == 5  # at the end
    found = await asyncio.to_thread(stages, uji, receipt)
    assert found[subscribed.name] == ("acknowledged", True)

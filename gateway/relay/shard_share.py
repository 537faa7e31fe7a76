"""The relay process: takes its share of the shards and keeps a pump at work on each."""

import asyncio
import math
import time
from contextlib import suppress

from gateway.base.database import Database
from gateway.base.errors import BrokerUnavailable, Unavailable
from gateway.base.settings import Settings
from gateway.base.stop import Stop
from gateway.base.telemetry import log
from gateway.broker import ConfirmPublisher
from gateway.journal import HintListener, JournalReader, Lead, Leads
from gateway.relay.context import RelayContext
from gateway.relay.control import ControlPlane
from gateway.relay.in_flight import settle
from gateway.relay.queue_credit import QueueCredit
from gateway.relay.shard_relay import ShardRelay

KEEP = 0.1  # seconds between two writes of the cursors: what is sent again after a crash
HEADS_BUSY, HEADS_IDLE = 0.005, 0.2  # seconds between two looks for new entries
RECONNECT_FIRST, RECONNECT_LAST = 0.1, 5.0
LEADS = 0.02  # seconds between two looks for leads without a pump
FINISH = 5.0  # seconds in which a pump that is to end may settle what it has sent


class Relay:
    """One relay among any number; `run` ends only on `stop` or a defect."""

    def __init__(
        self,
        *,
        settings: Settings,
        name: str,
        database: Database,
        reader: JournalReader,
        leads: Leads,
        hints: HintListener,
        control: ControlPlane,
        rooms: QueueCredit,
    ) -> None:
        self._settings = settings
        self._name = name
        self._database = database
        self._reader = reader
        self._leads = leads
        self._hints = hints
        self._control = control
        self._rooms = rooms
        self._url = settings.amqp_url.get_secret_value()
        self._held: dict[int, Lead] = {}
        self._pumps: dict[int, ShardRelay] = {}
        self._kept = 0.0

    def leads_shard(self, shard: int) -> bool:
        """Whether this process leads that shard now."""
        lead = self._held.get(shard)
        return lead is not None and bool(lead)

    async def run(self, stop: Stop) -> None:
        """Relay until stopped, then settle what was sent, write the cursors and give back."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch_heads(stop))
            tasks.create_task(self._keep_cursors(stop))
            lanes = tasks.create_task(self._keep_lane(stop))
            await self._keep_share(stop)
            await lanes
            await self._hand_over()

    async def _keep_share(self, stop: Stop) -> None:
        """Hold as many shards as is fair among the relays that live."""
        interval = self._settings.lease_seconds / 5
        going_on = True
        while going_on:
            try:
                await self._balance()
            except Unavailable as error:
                log().warning("relay.journal_away", reason=str(error))
            going_on = await stop.sleep(interval)

    async def _balance(self) -> None:
        relays = await self._leads.attend()
        self._held = {shard: lead for shard, lead in self._held.items() if lead}
        share = math.ceil(len(await self._reader.heads()) / relays)
        for shard in list(self._held)[share:]:
            await self._finish(shard)
        for shard in await self._leads.vacant():
            if len(self._held) >= share:
                return
            lead = await self._leads.take(shard)
            if lead is not None:
                log().info(
                    "relay.leads", shard=shard, epoch=lead.epoch, cursor=lead.cursor.sequence
                )
                await self._control.refresh()
                self._held[shard] = lead

    async def _finish(self, shard: int) -> None:
        """Give a shard back with its cursor at the last confirmed entry."""
        lead = self._held.pop(shard)
        pump = self._pumps.get(shard)
        if pump is not None:
            pump.finish()
            with suppress(TimeoutError):
                async with asyncio.timeout(FINISH):
                    await pump.ended.wait()
        await self._leads.advance([lead])
        await self._leads.resign(lead)
        log().info("relay.resigned", shard=shard)

    async def _hand_over(self) -> None:
        with suppress(Unavailable):
            for shard in list(self._held):
                await self._finish(shard)
            await self._leads.leave()

    async def _keep_cursors(self, stop: Stop) -> None:
        """Write what was confirmed, and prolong the leases by it."""
        while await stop.sleep(KEEP):
            for shard, pump in self._pumps.items():
                if pump.lead is self._held.get(shard):
                    pump.note_reached()
            held = list(self._held.values())
            moved = any(lead.reached != lead.cursor or lead.returned for lead in held)
            if not moved and time.monotonic() - self._kept < self._settings.lease_seconds / 5:
                continue
            try:
                await self._leads.advance(held)
                self._kept = time.monotonic()
            except Unavailable as error:
                log().warning("relay.cursor_not_kept", reason=str(error))

    async def _watch_heads(self, stop: Stop) -> None:
        """Tell the pumps that there is more: at once on a hint, else by polling."""
        pause = HEADS_BUSY
        while not stop:
            hinted = await self._hints.wait(pause)
            try:
                heads = await self._reader.heads()
            except Unavailable:
                await stop.sleep(HEADS_IDLE)
                continue
            moved = False
            for shard, pump in self._pumps.items():
                moved |= pump.new_head(heads[shard].sequence)
            pause = HEADS_BUSY if hinted or moved else min(pause * 2, HEADS_IDLE)

    async def _keep_lane(self, stop: Stop) -> None:
        """One lane after another until stopped."""
        delay = RECONNECT_FIRST
        while not stop:
            try:
                lane = await ConfirmPublisher.open(
                    self._url,
                    settle=settle,
                    name=self._name,
                    confirm_timeout=self._settings.confirm_timeout,
                )
            except BrokerUnavailable as error:
                log().warning("relay.broker_away", reason=str(error), again_in=delay)
                await stop.sleep(delay)
                delay = min(delay * 2, RECONNECT_LAST)
                continue
            delay = RECONNECT_FIRST
            log().info("relay.lane_open")
            try:
                await self._use(lane, stop)
            except* BrokerUnavailable as errors:
                log().warning("relay.lane_lost", reason=str(errors.exceptions[0]))
            finally:
                self._pumps.clear()
                await lane.close()
            await stop.sleep(delay)

    async def _use(self, lane: ConfirmPublisher, stop: Stop) -> None:
        """Keep a pump running for every lead, until stopped or the lane dies."""
        async with asyncio.TaskGroup() as tasks:
            dead = tasks.create_task(_raise_when_closed(lane))
            running: set[asyncio.Task[None]] = set()
            while await stop.sleep(LEADS):
                for shard, lead in self._held.items():
                    if lead and shard not in self._pumps:
                        pump = tasks.create_task(self._pump(lead, lane))
                        running.add(pump)
                        pump.add_done_callback(running.discard)
            for each in self._pumps.values():
                each.finish()
            if running:
                await asyncio.wait(running, timeout=FINISH)
            for task in (dead, *running):
                task.cancel()

    async def _pump(self, lead: Lead, lane: ConfirmPublisher) -> None:
        pump = self._pumps[lead.shard] = ShardRelay(
            lead,
            RelayContext(lane, self._reader, self._database, self._control, self._rooms),
            window=self._settings.relay_window,
        )
        try:
            await pump.run()
        finally:
            pump.note_reached()
            if self._pumps.get(lead.shard) is pump:
                del self._pumps[lead.shard]


async def _raise_when_closed(lane: ConfirmPublisher) -> None:
    raise await lane.closed()

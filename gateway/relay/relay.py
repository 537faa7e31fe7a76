"""The relay: holds a fair share of the shards and relays each of them."""

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

from gateway.base.backoff import Backoff
from gateway.base.database import Database
from gateway.base.defects import first_of, report_defect
from gateway.base.errors import BrokerUnavailable, Unavailable
from gateway.base.periodic import Polling, periodic, reconnecting
from gateway.base.settings import Settings
from gateway.base.stop import Stop
from gateway.base.telemetry import log
from gateway.base.waiting import wait_for_event
from gateway.broker import ConfirmPublisher, ConfirmResult
from gateway.delivery.store import DeadLetters
from gateway.journal import HintListener, JournalReader, ShardLease, ShardLeases
from gateway.relay.context import ControlPlane, RelayContext
from gateway.relay.in_flight import apply_results
from gateway.relay.queue_credit import QueueCredit
from gateway.relay.send_limit import ADJUST, SendLimit
from gateway.relay.shard_relay import ShardRelay

SAVE_CURSORS = 0.1  # seconds between two writes: a crash repeats as much
HEADS_BUSY, HEADS_IDLE = 0.005, 0.2  # seconds between two looks for new entries
START_RELAYS = 0.02  # seconds between two looks for leases without a shard relay
RESTART = 0.5, 30.0  # seconds until a shard relay that had a defect begins again
ALARMS = 0.25  # seconds between two looks whether the broker has an alarm
FINISH = 5.0  # seconds in which a shard relay that ends may settle what it has sent


class Relay:
    """One relay among any number; `run` ends only on `stop` or a defect."""

    def __init__(
        self,
        *,
        settings: Settings,
        name: str,
        database: Database,
        reader: JournalReader,
        leases: ShardLeases,
        hints: HintListener,
        control_plane: ControlPlane,
        queue_credit: QueueCredit,
    ) -> None:
        self._settings = settings
        self._name = name
        self._database = database
        self._reader = reader
        self._leases = leases
        self._hints = hints
        self._control_plane = control_plane
        self._queue_credit = queue_credit
        self._url = settings.amqp_url.get_secret_value()
        self._held: dict[int, ShardLease] = {}
        self._relays: dict[int, ShardRelay] = {}
        self._saved_at = 0.0
        self._backoffs: dict[int, Backoff] = {}
        self._dead_letters = DeadLetters(database.pool, timeout=settings.append_timeout)

    def holds_shard(self, shard: int) -> bool:
        """Whether this process holds the lease of that shard now."""
        lease = self._held.get(shard)
        return lease is not None and bool(lease)

    async def run(self, stop: Stop) -> None:
        """Relay until stopped, then settle what was sent, save the cursors and resign."""
        interval = self._settings.lease_seconds / 5
        heads = Polling(HEADS_BUSY, HEADS_IDLE)

        async def publish(connected: Callable[[], None]) -> None:
            await self._publish(connected, stop)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(
                periodic("relay.heads", self._look_at_heads, heads, stop, wake=self._hints.wake_up)
            )
            tasks.create_task(periodic("relay.cursors", self._save_cursors, SAVE_CURSORS, stop))
            publishing = tasks.create_task(reconnecting("relay.publisher", publish, stop))
            await periodic("relay.shards", self._balance, interval, stop)
            await publishing
            await self._hand_over()

    async def _balance(self) -> None:
        """Hold a fair share of the shards among the relays that are alive."""
        relays = await self._leases.attend()
        self._held = {shard: lease for shard, lease in self._held.items() if lease}
        heads = await self._reader.heads()
        share = math.ceil(len(heads) / relays)
        for shard in list(self._held)[share:]:
            await self._resign(shard)
        vacant = [(shard,) for shard in heads if shard not in self._held]
        if vacant and len(self._held) < share:
            taken = await self._leases.take(vacant, limit=share - len(self._held))
            for lease in taken:
                log().info(
                    "relay.shard_acquired",
                    shard=lease.shard,
                    epoch=lease.epoch,
                    cursor=lease.cursor.sequence,
                )
            if taken:
                await self._control_plane.refresh()
                self._held |= {lease.shard: lease for lease in taken}

    async def _resign(self, shard: int) -> None:
        """Release a shard with its cursor at the last settled entry."""
        lease = self._held.pop(shard)
        relay = self._relays.get(shard)
        if relay is not None:
            relay.finish()
            await wait_for_event(relay.ended, FINISH)
        await self._leases.renew([lease])
        await self._leases.resign([lease])
        log().info("relay.shard_released", shard=shard)

    async def _hand_over(self) -> None:
        with suppress(Unavailable):
            for shard in list(self._held):
                await self._resign(shard)
            await self._leases.leave()

    async def _save_cursors(self) -> None:
        """Write how far everything is settled; the same write prolongs the leases."""
        for shard, relay in self._relays.items():
            if relay.lease is self._held.get(shard):
                relay.update_lease()
        held = list(self._held.values())
        moved = any(lease.reached != lease.cursor or lease.returned for lease in held)
        if moved or time.monotonic() - self._saved_at >= self._settings.lease_seconds / 5:
            await self._leases.renew(held)
            self._saved_at = time.monotonic()

    async def _look_at_heads(self) -> bool:
        """Tell the shard relays about new entries. True if there are any."""
        heads = await self._reader.heads()
        moved = False
        for shard, relay in self._relays.items():
            moved |= relay.head_moved(heads[shard].sequence)
        return moved

    async def _publish(self, connected: Callable[[], None], stop: Stop) -> None:
        """Open a publisher and relay through it. Raises BrokerUnavailable when it ends."""
        limit = SendLimit(self._settings.relay_in_flight)

        def on_results(results: Sequence[ConfirmResult]) -> None:
            apply_results(results)
            limit.settled(results)

        publisher = await ConfirmPublisher.open(
            self._url,
            on_results=on_results,
            name=self._name,
            confirm_timeout=self._settings.confirm_timeout,
        )
        connected()
        log().info("relay.publisher_opened")
        lost: BrokerUnavailable | None = None
        try:
            await self._relay_through(publisher, limit, stop)
        except* BrokerUnavailable as errors:
            lost = BrokerUnavailable(str(first_of(errors)))
        finally:
            self._relays.clear()
            await publisher.close()
        if lost is not None:
            raise lost

    async def _relay_through(
        self, publisher: ConfirmPublisher, limit: SendLimit, stop: Stop
    ) -> None:
        """Run a shard relay for every lease, until stopped or the connection ends."""
        async with asyncio.TaskGroup() as tasks:
            watcher = tasks.create_task(_raise_when_closed(publisher))
            alarm = partial(_raise_when_blocked, publisher)
            tasks.create_task(periodic("relay.alarm", alarm, ALARMS, stop))
            tasks.create_task(periodic("relay.send_limit", limit.adjust, ADJUST, stop))
            running: set[asyncio.Task[None]] = set()

            async def start_relays() -> None:
                for shard, lease in self._held.items():
                    if lease and shard not in self._relays:
                        task = tasks.create_task(self._relay_shard(lease, publisher, limit, stop))
                        running.add(task)
                        task.add_done_callback(running.discard)

            await periodic("relay.shard_relays", start_relays, START_RELAYS, stop)
            for each in self._relays.values():
                each.finish()
            if running:
                await asyncio.wait(running, timeout=FINISH)
            for task in (watcher, *running):
                task.cancel()

    async def _relay_shard(
        self, lease: ShardLease, publisher: ConfirmPublisher, limit: SendLimit, stop: Stop
    ) -> None:
        """Relay one shard. A defect costs this shard alone some time, then it begins again."""
        relay = self._relays[lease.shard] = ShardRelay(
            lease,
            RelayContext(
                publisher,
                limit,
                self._reader,
                self._database,
                self._control_plane,
                self._queue_credit,
                self._dead_letters,
            ),
        )
        began = time.monotonic()
        try:
            await relay.run()
        except* BrokerUnavailable:
            raise
        except* Exception as errors:
            report_defect("relay.shard", errors, shard=lease.shard)
            relay.update_lease()
            await self._rest(lease.shard, time.monotonic() - began, stop)
        finally:
            relay.update_lease()
            if self._relays.get(lease.shard) is relay:
                del self._relays[lease.shard]

    async def _rest(self, shard: int, lasted: float, stop: Stop) -> None:
        """Wait until a shard relay that had a defect begins again, longer after each."""
        backoff = self._backoffs.setdefault(shard, Backoff(*RESTART))
        if lasted > RESTART[1]:
            backoff.reset()
        await stop.sleep(backoff.next())


async def _raise_when_blocked(publisher: ConfirmPublisher) -> None:
    if publisher.blocked:
        raise BrokerUnavailable(
            "RabbitMQ takes no messages, because its disk or memory alarm is on. Make room; what "
            "waits is then sent."
        )


async def _raise_when_closed(publisher: ConfirmPublisher) -> None:
    raise await publisher.closed()

"""The webhook worker: holds a share of the webhook subscriptions and dispatches each of them."""

import asyncio
import math
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from gateway.base.backoff import Backoff
from gateway.base.database import Database, Topic
from gateway.base.defects import kind_of, report_defect
from gateway.base.errors import Invalid, Unavailable
from gateway.base.leases import Lease, LeaseLost
from gateway.base.periodic import Polling, periodic
from gateway.base.settings import Settings
from gateway.base.stop import Stop
from gateway.base.telemetry import log
from gateway.delivery.store import DeliveryLeases, Key, Superseded
from gateway.delivery.webhook.addresses import AddressPolicy, parse_endpoint_url
from gateway.delivery.webhook.configs import WebhookConfig, WebhookConfigs, origin
from gateway.delivery.webhook.dispatcher import DispatchContext, Dispatcher
from gateway.delivery.webhook.guarded_network import webhook_tls
from gateway.delivery.webhook.handshake import HandshakeAccepted, perform_handshake
from gateway.delivery.webhook.passed_cursors import EVERY, store_passed_cursors
from gateway.delivery.webhook.resolver import Resolver
from gateway.delivery.webhook.sender import WebhookSender
from gateway.journal import Cursor, HintListener
from gateway.subscriptions import Delivery, register, webhooks

CHECK = 0.25  # seconds between two checks of configurations and of due deliveries
HEADS_BUSY, HEADS_IDLE = 0.02, 0.25  # seconds between two checks for new entries
HANDSHAKE_FIRST, HANDSHAKE_LAST = 5.0, 600.0  # seconds between handshakes that are declined
RESTART_FIRST, RESTART_LAST = 1.0, 300.0  # seconds until a dispatcher with a defect begins again
FINISH = 8.0  # seconds in which every dispatcher must end


@dataclass(slots=True)
class DispatcherTask:
    """A running dispatcher, or the handshake before it."""

    config: WebhookConfig
    task: asyncio.Task[None]
    dispatcher: Dispatcher | None = None
    reported: str | None = None  # the last error as stored for the owner

    def finish(self) -> None:
        """Let it end."""
        if self.dispatcher is None:
            self.task.cancel()
        else:
            self.dispatcher.finish()


class WebhookWorker:
    """One of any number of workers. `run` ends only on `stop`."""

    def __init__(
        self,
        *,
        settings: Settings,
        database: Database,
        context: DispatchContext,
        leases: DeliveryLeases,
        hints: HintListener,
        configs: WebhookConfigs,
    ) -> None:
        """Raises UnusableFiles."""
        self._settings = settings
        self._database = database
        self._context = context
        self._leases = leases
        self._hints = hints
        self._configs = configs
        self._tls = webhook_tls(settings)
        self._policy = AddressPolicy.of(settings)
        self._resolver = Resolver()
        self._held: dict[Key, Lease] = {}
        self._running: dict[Key, DispatcherTask] = {}
        self._restarts: dict[Key, Backoff] = {}
        self._heads: Mapping[int, Cursor] = {}
        self._revision: tuple[int, ...] = ()
        self._wanted: dict[Key, WebhookConfig | None] = {}

    async def run(self, stop: Stop) -> None:
        """Dispatch until stopped; then settle what is in flight and give the leases back."""
        async with asyncio.TaskGroup() as dispatchers:
            async with asyncio.TaskGroup() as loops:
                heads, wake = Polling(HEADS_BUSY, HEADS_IDLE), self._hints.wake_up
                loops.create_task(
                    periodic("webhooks.new", self._look_at_heads, heads, stop, wake=wake)
                )
                loops.create_task(periodic("webhooks.due", self._notify_due, CHECK, stop))
                every = self._settings.lease_seconds / 5
                loops.create_task(periodic("webhooks.leases", self._balance, every, stop))
                configs = partial(self._apply_configs, dispatchers)
                loops.create_task(periodic("webhooks.cursors", self._store_cursors, EVERY, stop))
                loops.create_task(periodic("webhooks.configs", configs, CHECK, stop))
            await self._hand_over()

    async def _hand_over(self) -> None:
        with suppress(Unavailable):
            await self._leases.renew(self._held.values())
        await self._finish(list(self._running))
        with suppress(Unavailable):
            await self._leases.resign(list(self._held.values()))
            await self._leases.leave()

    async def _balance(self) -> None:
        """Renew the leases, and hold a fair share of them among the live workers."""
        processes = await self._leases.attend()
        await self._leases.renew(self._held.values())
        self._held = {key: lease for key, lease in self._held.items() if lease}
        keys = [
            each.key
            for each in self._configs.subscriptions.value.all
            if each.delivery is Delivery.WEBHOOK
        ]
        share = math.ceil(len(keys) / processes)
        surplus = list(self._held)[share:]
        if surplus:
            await self._finish(surplus)
            await self._leases.resign([self._held.pop(key) for key in surplus if key in self._held])
        vacant = [key for key in keys if key not in self._held]
        if vacant and len(self._held) < share:
            taken = await self._leases.take(vacant, limit=share - len(self._held))
            self._held |= {lease.key: lease for lease in taken}
            if taken:
                log().info("webhooks.leases_taken", count=len(taken), share=share)

    async def _apply_configs(self, dispatchers: asyncio.TaskGroup) -> None:
        """Start and finish dispatchers as the configurations require."""
        if self._revision != self._configs.revision:
            self._revision = self._configs.revision
            self._wanted = self._configs.all(self._settings)
        for key, lease in self._held.items():
            wanted = self._wanted.get(key)
            running = self._running.get(key)
            if running is not None:
                if running.config != wanted:
                    running.finish()
            elif wanted is not None and lease:
                task = dispatchers.create_task(self._work(wanted, lease))
                stored = self._configs.webhooks.value.of(key)
                self._running[key] = DispatcherTask(wanted, task, reported=stored.last_error)

    async def _finish(self, keys: list[Key]) -> None:
        """Let dispatchers finish; cancel those that take too long."""
        tasks = []
        for key in keys:
            if key in self._running:
                self._running[key].finish()
                tasks.append(self._running[key].task)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=FINISH)
            for task in late:
                task.cancel()

    async def _work(self, config: WebhookConfig, lease: Lease) -> None:
        """Run one dispatcher task, from the handshake to its end. Raises nothing."""
        defects: ExceptionGroup[Exception] | None = None
        began = time.monotonic()
        try:
            try:
                await self._dispatch_or_wait(config, lease)
            except* (LeaseLost, Superseded) as errors:
                log().info("webhook.restarted", reason=type(errors.exceptions[0]).__name__)
            except* Unavailable as errors:
                log().warning("webhook.interrupted", reason=str(errors.exceptions[0]))
            except* Exception as errors:
                defects = errors
            if defects is None or time.monotonic() - began > RESTART_LAST:
                self._restarts.pop(lease.key, None)
            if defects is not None:
                await self._hold_back(lease.key, defects)
        finally:
            del self._running[lease.key]

    async def _dispatch_or_wait(self, config: WebhookConfig, lease: Lease) -> None:
        sender = self._make_sender(config)
        if sender is None:
            await self._report(lease.key, "the URL of the endpoint is no longer permitted")
            await asyncio.sleep(HANDSHAKE_LAST)
            return
        try:
            if config.accepted:
                await self._dispatch(config, lease, sender)
            else:
                await self._shake_hands(config, lease.key, sender)
        finally:
            await sender.close()

    async def _hold_back(self, key: Key, defects: ExceptionGroup[Exception]) -> None:
        """Wait after a defect, so that this dispatcher alone begins again, less and less often."""
        report_defect("webhooks.dispatcher", defects, organisation=key[0], subscription=key[1])
        self._running[key].dispatcher = None  # so that `finish` ends the wait
        pause = self._restarts.setdefault(key, Backoff(RESTART_FIRST, RESTART_LAST)).next()
        with suppress(Exception):  # it was reported, and the owner reads it from a later report
            await self._report(
                key,
                f"the gateway failed to deliver ({kind_of(defects)}), which was logged; it tries "
                f"again in {pause:g} s",
            )
        await asyncio.sleep(pause)

    def _make_sender(self, config: WebhookConfig) -> WebhookSender | None:
        """None where the settings have changed since the URL was accepted."""
        endpoint = config.endpoint
        try:
            url = parse_endpoint_url(endpoint.url, self._policy)
        except Invalid:
            return None
        return WebhookSender(
            url,
            self._policy,
            self._tls,
            origin=origin(self._settings),
            timeout=endpoint.timeout,
            resolve=self._resolver.of(config.subscription.organisation),
        )

    async def _shake_hands(self, config: WebhookConfig, key: Key, sender: WebhookSender) -> None:
        """Repeat the handshake until it is accepted. That changes the config, which ends this."""
        backoff = Backoff(HANDSHAKE_FIRST, HANDSHAKE_LAST)
        while True:
            answer = await perform_handshake(sender, rate=config.requested_rate)
            if isinstance(answer, HandshakeAccepted):
                async with self._database.change(Topic.SUBSCRIPTIONS) as session:
                    if await register.find(session, *key) is None:
                        return  # it has ended meanwhile
                    await webhooks.set_agreed(session, key, config.endpoint.url, answer.rate)
                log().info("webhook.accepted", organisation=key[0], subscription=key[1])
                await asyncio.sleep(HANDSHAKE_LAST)
            await self._report(key, getattr(answer, "reason", None))
            await asyncio.sleep(backoff.next())

    async def _dispatch(self, config: WebhookConfig, lease: Lease, sender: WebhookSender) -> None:
        dispatcher = Dispatcher(config, lease, self._context, sender)
        self._running[lease.key].dispatcher = dispatcher
        await dispatcher.run()
        if dispatcher.gone is not None:
            self._running[lease.key].dispatcher = None
            await self._pause(config, dispatcher.gone)
            await asyncio.sleep(HANDSHAKE_LAST)  # the pause cancels this much earlier

    async def _pause(self, config: WebhookConfig, answer: str) -> None:
        """Pause a subscription whose endpoint is gone, unless its endpoint has changed."""
        subscription = config.subscription
        async with self._database.change(Topic.SUBSCRIPTIONS) as session:
            present = await register.find(session, *subscription.key)
            if present is not None and present.terms.endpoint == config.endpoint:
                await register.set_paused(
                    session, present, paused=True, because=f"the endpoint answered {answer}"
                )
        log().info(
            "webhook.paused", organisation=subscription.organisation, subscription=subscription.name
        )

    async def _report(self, key: Key, last_error: str | None) -> None:
        """Store the last error of an endpoint for its owner, if it is not stored yet."""
        running = self._running[key]
        if running.reported == last_error:
            return
        async with self._database.change(Topic.SUBSCRIPTIONS) as session:
            if await register.find(session, *key) is not None:
                await webhooks.set_last_error(session, key, last_error)
        running.reported = last_error

    async def _look_at_heads(self) -> bool:
        """Notify the dispatchers of new entries. True if there are some."""
        heads = await self._context.reader.heads()
        if heads == self._heads:
            return False
        dispatched = [each.config.subscription.types for each in self._running.values()]
        types = frozenset().union(*dispatched)
        self._notify_new(await self._context.tail.extend(heads, types))
        self._heads = heads
        return True

    async def _store_cursors(self) -> None:
        dispatchers = [each.dispatcher for each in self._running.values()]
        await store_passed_cursors(filter(None, dispatchers), self._context.store)

    def _notify_new(self, types: set[str] | None) -> None:
        for each in self._running.values():
            if each.dispatcher is not None:
                each.dispatcher.notify_new(types)

    async def _notify_due(self) -> None:
        """Notify dispatchers of due deliveries, and store the last errors of their endpoints."""
        dispatched = {k: r for k, r in self._running.items() if r.dispatcher is not None}
        if not dispatched:
            return
        due = await self._context.store.due(list(dispatched))
        for key, each in dispatched.items():
            if each.dispatcher is not None and key in due:
                each.dispatcher.notify_due()
            if each.dispatcher is not None and key in self._running:
                await self._report(key, each.dispatcher.last_error)

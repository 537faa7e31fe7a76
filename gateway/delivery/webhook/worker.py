"""The deliver process: holds its share of the webhooks, and keeps a dispatcher at work on each."""

import asyncio
import math
import ssl
from contextlib import suppress
from dataclasses import dataclass

from gateway.base.database import Database, Topic
from gateway.base.errors import Invalid, Unavailable
from gateway.base.leases import Lease, LeaseLost
from gateway.base.settings import Settings
from gateway.base.stop import Stop
from gateway.base.telemetry import log
from gateway.delivery.store import DeliveryLeases, Key, Superseded
from gateway.delivery.webhook import handshake
from gateway.delivery.webhook.addresses import AddressPolicy, parse_endpoint_url
from gateway.delivery.webhook.configs import WebhookConfig, WebhookConfigs, origin
from gateway.delivery.webhook.dispatcher import DispatchContext, Dispatcher
from gateway.delivery.webhook.sender import WebhookSender
from gateway.journal import HintListener
from gateway.subscriptions import Delivery, register, webhooks

TEND = 0.25  # seconds between two looks at what changed
HEADS_BUSY, HEADS_IDLE = 0.02, 0.25  # seconds between two looks for new entries
ASK_FIRST, ASK_LAST = 5.0, 600.0  # seconds between two handshakes with one that withholds
FINISH = 8.0  # seconds in which every dispatcher ends


@dataclass(slots=True)
class DispatcherTask:
    """A dispatcher at work, or the handshake before it."""

    assignment: WebhookConfig
    task: asyncio.Task[None]
    dispatcher: Dispatcher | None = None
    told: str | None = None  # the trouble that its owner can read

    def finish(self) -> None:
        """Let it end."""
        if self.dispatcher is None:
            self.task.cancel()
        else:
            self.dispatcher.finish()


class WebhookWorker:
    """One deliver process among any number; `run` ends only on `stop` or a defect."""

    def __init__(
        self,
        *,
        settings: Settings,
        database: Database,
        context: DispatchContext,
        leases: DeliveryLeases,
        hints: HintListener,
        plan: WebhookConfigs,
        trusted: ssl.SSLContext,
    ) -> None:
        self._settings = settings
        self._database = database
        self._context = context
        self._leases = leases
        self._hints = hints
        self._plan = plan
        self._trusted = trusted
        self._policy = AddressPolicy.of(settings)
        self._held: dict[Key, Lease] = {}
        self._posts: dict[Key, DispatcherTask] = {}
        self._revision: tuple[int, ...] = ()
        self._assignments: dict[Key, WebhookConfig | None] = {}

    async def run(self, stop: Stop) -> None:
        """Deliver until stopped, then settle what is under way and give back."""
        async with asyncio.TaskGroup() as posts:
            async with asyncio.TaskGroup() as loops:
                loops.create_task(self._watch_heads(stop))
                loops.create_task(self._watch_due(stop))
                loops.create_task(self._keep_share(stop))
                while await stop.sleep(TEND):
                    self._tend(posts)
            await self._hand_over()

    async def _hand_over(self) -> None:
        with suppress(Unavailable):
            await self._leases.renew(self._held.values())
        await self._end(list(self._posts))
        with suppress(Unavailable):
            await self._leases.resign(list(self._held.values()))
            await self._leases.leave()

    async def _keep_share(self, stop: Stop) -> None:
        """Hold as many webhooks as is fair among the processes that live."""
        going_on = True
        while going_on:
            try:
                await self._balance()
            except Unavailable as error:
                log().warning("deliver.database_away", reason=str(error))
            going_on = await stop.sleep(self._settings.lease_seconds / 5)

    async def _balance(self) -> None:
        processes = await self._leases.attend()
        await self._leases.renew(self._held.values())
        self._held = {key: lease for key, lease in self._held.items() if lease}
        keys = [
            each.key
            for each in self._plan.subscriptions.value.all
            if each.delivery is Delivery.WEBHOOK
        ]
        share = math.ceil(len(keys) / processes)
        surplus = list(self._held)[share:]
        if surplus:
            await self._end(surplus)
            await self._leases.resign([self._held.pop(key) for key in surplus if key in self._held])
        vacant = [key for key in keys if key not in self._held]
        if vacant and len(self._held) < share:
            taken = await self._leases.take(vacant, limit=share - len(self._held))
            self._held |= {lease.key: lease for lease in taken}
            if taken:
                log().info("deliver.took", webhooks=len(taken), share=share)

    def _tend(self, tasks: asyncio.TaskGroup) -> None:
        """Begin and end dispatchers as the subscriptions have it now."""
        if self._revision != self._plan.revision:
            self._revision = self._plan.revision
            self._assignments = self._plan.assignments(self._settings)
        for key, lease in self._held.items():
            wanted = self._assignments.get(key)
            post = self._posts.get(key)
            if post is not None:
                if post.assignment != wanted:
                    post.finish()
            elif wanted is not None and lease:
                task = tasks.create_task(self._work(wanted, lease))
                known = self._plan.webhooks.value.of(key)
                self._posts[key] = DispatcherTask(wanted, task, told=known.last_error)

    async def _end(self, keys: list[Key]) -> None:
        """Let dispatchers finish; those that do not in time are cut off."""
        tasks = []
        for key in keys:
            if key in self._posts:
                self._posts[key].finish()
                tasks.append(self._posts[key].task)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=FINISH)
            for task in late:
                task.cancel()

    async def _work(self, assignment: WebhookConfig, lease: Lease) -> None:
        """One post, from the handshake to its end."""
        key = lease.key
        caller = self._caller(assignment)
        try:
            if caller is None:
                await self._tell(key, "the endpoint's URL may not be called any more")
                await asyncio.sleep(ASK_LAST)
            elif not assignment.agreed:
                await self._introduce(assignment, key, caller)
            else:
                await self._dispatch(assignment, lease, caller)
        except* (LeaseLost, Superseded) as errors:
            log().info("webhook.begins_again", reason=type(errors.exceptions[0]).__name__)
        except* Unavailable as errors:
            log().warning("webhook.database_away", reason=str(errors.exceptions[0]))
        finally:
            del self._posts[key]
            if caller is not None:
                await caller.close()

    def _caller(self, assignment: WebhookConfig) -> WebhookSender | None:
        """None where the operator's settings have changed since the URL was accepted."""
        endpoint = assignment.endpoint
        try:
            where = parse_endpoint_url(endpoint.url, self._policy)
        except Invalid:
            return None
        return WebhookSender(
            where,
            self._policy,
            self._trusted,
            origin=origin(self._settings),
            timeout=endpoint.timeout,
        )

    async def _introduce(self, assignment: WebhookConfig, key: Key, caller: WebhookSender) -> None:
        """Ask until the endpoint agrees; the dispatcher begins once that is known everywhere."""
        delay = ASK_FIRST
        while True:
            answer = await handshake.ask(caller, rate=assignment.wanted_rate)
            if isinstance(answer, handshake.HandshakeAccepted):
                async with self._database.change(Topic.SUBSCRIPTIONS) as session:
                    await webhooks.set_agreed(session, key, assignment.endpoint.url, answer.rate)
                log().info("webhook.agreed", organisation=key[0], subscription=key[1])
                await asyncio.sleep(ASK_LAST)
            await self._tell(key, getattr(answer, "reason", None))
            await asyncio.sleep(delay)
            delay = min(delay * 2, ASK_LAST)

    async def _dispatch(
        self, assignment: WebhookConfig, lease: Lease, caller: WebhookSender
    ) -> None:
        dispatcher = Dispatcher(assignment, lease, self._context, caller)
        self._posts[lease.key].dispatcher = dispatcher
        await dispatcher.run()
        if dispatcher.gone is not None:
            self._posts[lease.key].dispatcher = None
            await self._switch_off(assignment, dispatcher.gone)
            await asyncio.sleep(ASK_LAST)  # the pause is known everywhere long before

    async def _switch_off(self, assignment: WebhookConfig, said: str) -> None:
        """The endpoint wants nothing more: pause the subscription, unless it has changed by now."""
        subscription = assignment.subscription
        async with self._database.change(Topic.SUBSCRIPTIONS) as session:
            now = await register.find(session, *subscription.key)
            if now is not None and now.terms.endpoint == assignment.endpoint:
                await register.set_paused(
                    session, now, paused=True, because=f"the endpoint answered {said}"
                )
        log().info(
            "webhook.gone", organisation=subscription.organisation, subscription=subscription.name
        )

    async def _tell(self, key: Key, trouble: str | None) -> None:
        """Write down what troubles an endpoint, where its owner does not know it."""
        post = self._posts[key]
        if post.told == trouble:
            return
        async with self._database.change(Topic.SUBSCRIPTIONS) as session:
            if await register.find(session, *key) is not None:
                await webhooks.set_last_error(session, key, trouble)
        post.told = trouble

    async def _watch_heads(self, stop: Stop) -> None:
        """Tell the dispatchers that there is more: at once on a hint, else by polling."""
        pause, last = HEADS_BUSY, None
        while not stop:
            hinted = await self._hints.wait(pause)
            try:
                heads = await self._context.reader.heads()
                moved = heads != last
                if moved:
                    self._announce(await self._context.tail.extend(heads, self._types()))
            except Unavailable:
                await stop.sleep(HEADS_IDLE)
                continue
            last = heads
            pause = HEADS_BUSY if hinted or moved else min(pause * 2, HEADS_IDLE)

    def _types(self) -> frozenset[str]:
        """What any of the dispatchers here wants."""
        posts = self._posts.values()
        return frozenset(type for post in posts for type in post.assignment.subscription.types)

    def _announce(self, types: set[str] | None) -> None:
        for post in self._posts.values():
            if post.dispatcher is not None:
                post.dispatcher.something_is_new(types)

    async def _watch_due(self, stop: Stop) -> None:
        """Tell the dispatchers what is due, and the owners what troubles their endpoints."""
        while await stop.sleep(TEND):
            working = {k: p for k, p in self._posts.items() if p.dispatcher is not None}
            if not working:
                continue
            try:
                due = await self._context.dispatching.due(list(working))
                for key, post in working.items():
                    if post.dispatcher is not None and key in due:
                        post.dispatcher.something_is_due()
                    if post.dispatcher is not None and key in self._posts:
                        await self._tell(key, post.dispatcher.trouble)
            except Unavailable as error:
                log().warning("deliver.database_away", reason=str(error))

"""Keeps broker users out that have lost their right, and lets them in again when they have it back.

That is all users of a suspended organisation, and each whose password was made by a client or a
credential that is no longer in force. A user without permissions on the virtual host cannot
connect. Its queue stays and fills; what is more waits in the journal.
"""

import asyncio
import time
from collections.abc import Awaitable, Iterable

from gateway.base.database import Database, Topic
from gateway.base.snapshot import Snapshot, refresh
from gateway.base.telemetry import log
from gateway.broker import Management, names
from gateway.identity import Directory
from gateway.subscriptions.register import Subscriptions
from gateway.subscriptions.values import Key, Subscription

LOOK = 1.0  # seconds between two looks while a user is to be kept out
REST = 10.0  # the same while none is
# A connection that was being opened while its user lost the permissions is closed a look later.
CLOSE_TIMES = 3
TOGETHER = 20  # users at a time


class BrokerAccess:
    """Compares the permissions at the broker with the directory. Run it on the leader, often."""

    def __init__(
        self,
        database: Database,
        management: Management,
        directories: Snapshot[Directory],
        subscriptions: Snapshot[Subscriptions],
    ) -> None:
        self._database = database
        self._management = management
        self._directories = directories
        self._subscriptions = subscriptions
        self._void: frozenset[Key] = frozenset()
        self._kept_out: frozenset[Key] | None = None
        self._looked = float("-inf")
        self._closing: dict[str, int] = {}

    async def run_once(self) -> None:
        """Look, if it is time or other users are to be kept out. Raises Unavailable."""
        kept_out = self._without_right()
        pause = LOOK if kept_out or self._closing else REST
        if kept_out == self._kept_out and time.monotonic() - self._looked < pause:
            return
        users, permitted = await self._management.users(), await self._management.permitted_users()
        standing = [
            (each, user)
            for each in self._subscriptions.value.with_queue
            if (user := names.user(names.queue(*each.key))) in users
        ]
        await _together(
            self._let_in(each, user)
            for each, user in standing
            if each.key not in kept_out and user not in permitted
        )
        out = [(each, user) for each, user in standing if each.key in kept_out]
        await self._withdraw([(each, user) for each, user in out if user in permitted])
        await _together(self._close(user) for _, user in out if user in self._closing)
        self._kept_out, self._looked = kept_out, time.monotonic()

    def _without_right(self) -> frozenset[Key]:
        """The subscriptions whose users are to be kept out.

        A password counts as void at the second look: at the first one the subscription may be
        younger than the directory, which does not know its client yet.
        """
        directory = self._directories.value
        queued = self._subscriptions.value.with_queue
        void = frozenset(each.key for each in queued if not directory.in_force(each.password_by))
        certain, self._void = void & self._void, void
        return certain | {each.key for each in queued if each.organisation in directory.suspended}

    async def _withdraw(self, found: list[tuple[Subscription, str]]) -> None:
        """Take the permissions. A user whose password was renewed meanwhile keeps them."""
        if not found:
            return
        async with self._database.unchanged(Topic.SUBSCRIPTIONS):
            await refresh(self._database, self._directories, self._subscriptions)
            kept_out = self._without_right()
            await _together(
                self._keep_out(each, user) for each, user in found if each.key in kept_out
            )

    async def _keep_out(self, subscription: Subscription, user: str) -> None:
        await self._management.withdraw_permissions(user)
        self._closing[user] = CLOSE_TIMES
        log().warning(
            "broker_user.kept_out",
            organisation=subscription.organisation,
            subscription=subscription.name,
        )

    async def _close(self, user: str) -> None:
        await self._management.close_connections(user)
        self._closing[user] -= 1
        if not self._closing[user]:
            del self._closing[user]

    async def _let_in(self, subscription: Subscription, user: str) -> None:
        """Only the permissions: a user that was deleted meanwhile stays deleted."""
        self._closing.pop(user, None)
        queue = names.queue(*subscription.key)
        await self._management.permit(user, queue=queue, replies=subscription.is_responder)
        log().info(
            "broker_user.let_in",
            organisation=subscription.organisation,
            subscription=subscription.name,
        )


async def _together(work: Iterable[Awaitable[None]]) -> None:
    """Await all, a few at a time."""
    left = list(work)
    for start in range(0, len(left), TOGETHER):
        await asyncio.gather(*left[start : start + TOGETHER])

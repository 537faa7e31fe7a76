"""Keeps the broker users of suspended organisations out, and lets them in again afterwards.

A user without permissions on the virtual host cannot connect. Its queue stays and fills; what is
more waits in the journal.
"""

import asyncio
import time

from gateway.base.snapshot import Snapshot
from gateway.broker import Management, names
from gateway.identity import Directory
from gateway.subscriptions.register import Subscriptions
from gateway.subscriptions.values import Subscription

LOOK = 1.0  # seconds between two looks while an organisation is suspended
REST = 10.0  # the same while none is
# A connection that was being opened while its user lost the permissions is closed a look later.
CLOSE_TIMES = 3
TOGETHER = 20  # users at a time


class BrokerAccess:
    """Compares the permissions at the broker with the directory. Run it on the leader, often."""

    def __init__(
        self,
        management: Management,
        directories: Snapshot[Directory],
        subscriptions: Snapshot[Subscriptions],
    ) -> None:
        self._management = management
        self._directories = directories
        self._subscriptions = subscriptions
        self._suspended: frozenset[str] | None = None
        self._looked = float("-inf")
        self._closing: dict[str, int] = {}

    async def run_once(self) -> None:
        """Look, if it is time or the suspended organisations have changed. Raises Unavailable."""
        suspended = self._directories.value.suspended
        pause = LOOK if suspended or self._closing else REST
        if suspended == self._suspended and time.monotonic() - self._looked < pause:
            return
        users, permitted = await self._management.users(), await self._management.permitted_users()
        work = []
        for each in self._subscriptions.value.all:
            user = names.user(names.queue(*each.key)) if not each.journal_delivered else ""
            if user in users and each.organisation in suspended:
                work.append(self._keep_out(user, permitted=user in permitted))
            elif user in users and user not in permitted:
                work.append(self._let_in(each, user))
        failures: list[BaseException] = []
        for start in range(0, len(work), TOGETHER):
            results = await asyncio.gather(*work[start : start + TOGETHER], return_exceptions=True)
            failures += [each for each in results if each is not None]
        if failures:  # one user's failure keeps no other in or out; the next run tries again
            raise failures[0]
        self._suspended, self._looked = suspended, time.monotonic()

    async def _keep_out(self, user: str, *, permitted: bool) -> None:
        if permitted:
            await self._management.withdraw_permissions(user)
            self._closing[user] = CLOSE_TIMES
        if user in self._closing:
            await self._management.close_connections(user)
            self._closing[user] -= 1
            if not self._closing[user]:
                del self._closing[user]

    async def _let_in(self, subscription: Subscription, user: str) -> None:
        """Only the permissions: a user that was deleted meanwhile stays deleted."""
        self._closing.pop(user, None)
        queue = names.queue(*subscription.key)
        await self._management.permit(user, queue=queue, replies=subscription.is_responder)

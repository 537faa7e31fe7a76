"""Finds the responder of a request type."""

from gateway.base.database import Database
from gateway.base.snapshot import Snapshot, refresh
from gateway.contracts import Catalogue
from gateway.identity import Directory
from gateway.subscriptions import Subscription, Subscriptions, SubscriptionState


class Responders:
    """The subscriptions that receive requests. Raises DatabaseUnavailable."""

    def __init__(
        self,
        database: Database,
        directory: Snapshot[Directory],
        catalogue: Snapshot[Catalogue],
        subscriptions: Snapshot[Subscriptions],
    ) -> None:
        self._database = database
        self._directory = directory
        self._catalogue = catalogue
        self._subscriptions = subscriptions

    async def of(self, type: str) -> Subscription | None:
        """The subscription that gets requests of this type now, if there is one."""
        found = self._find(type)
        if found is None:  # it may be younger than our snapshot
            await refresh(self._database, self._subscriptions)
            found = self._find(type)
        return found

    def with_queue(self, queue: tuple[str, str] | None) -> Subscription | None:
        """The responder whose queue belongs to this organisation and subscription name."""
        for each in self._subscriptions.value.all:
            if each.key == queue and each.is_responder:
                return each
        return None

    def _find(self, type: str) -> Subscription | None:
        for each in self._subscriptions.value.all:
            if each.is_responder and each.wants(type) and self._may_answer(each, type):
                return each
        return None

    def _may_answer(self, subscription: Subscription, type: str) -> bool:
        """Whether its organisation may act, and owns the type or has a grant in force."""
        contract = self._catalogue.value.contract(type)
        return (
            contract is not None
            and subscription.state is not SubscriptionState.SUSPENDED
            and subscription.organisation not in self._directory.value.suspended
            and (
                contract.owner == subscription.organisation
                or self._directory.value.may_receive(subscription.organisation, type)
            )
        )

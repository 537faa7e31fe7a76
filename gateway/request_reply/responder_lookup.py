"""Who answers: the one organisation that subscribes to a type of request. And who has asked."""

from gateway.base.database import Database
from gateway.base.errors import Invalid
from gateway.base.snapshot import Snapshot, refresh
from gateway.contracts import Catalogue
from gateway.identity import Directory
from gateway.journal import Entry
from gateway.subscriptions import Subscription, Subscriptions, SubscriptionState


class Responders:
    """The subscriptions that answer requests."""

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
        """Who answers this type now, if anybody does."""
        found = self._find(type)
        if found is None:  # it may have subscribed a moment ago
            await refresh(self._database, self._subscriptions)
            found = self._find(type)
        return found

    async def asker_of(self, request: Entry) -> str:
        """The organisation that has asked. Raises Invalid where its client is known no more."""
        client = self._directory.value.client(request.client)
        if client is None:  # it may have been made a moment ago
            await refresh(self._database, self._directory)
            client = self._directory.value.client(request.client)
        if client is None:
            raise Invalid("who has asked is not known any more")
        return client.organisation

    def _find(self, type: str) -> Subscription | None:
        for each in self._subscriptions.value.all:
            if each.is_responder and each.wants(type) and self._may_answer(each, type):
                return each
        return None

    def _may_answer(self, subscription: Subscription, type: str) -> bool:
        """Whether it is the owner's, or was granted and still is."""
        contract = self._catalogue.value.contract(type)
        return (
            contract is not None
            and subscription.state is not SubscriptionState.SUSPENDED
            and (
                contract.owner == subscription.organisation
                or self._directory.value.may_receive(subscription.organisation, type)
            )
        )

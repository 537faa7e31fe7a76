"""What the relay follows of the control plane."""

from collections.abc import Iterable

from gateway.base.database import Database
from gateway.base.snapshot import POLL, Snapshot, refresh
from gateway.contracts import Catalogue, load_contracts
from gateway.subscriptions import Subscriptions


class ControlPlane:
    """Contracts and subscriptions as of the last look at their revisions."""

    poll = POLL

    def __init__(
        self,
        database: Database,
        catalogue: Snapshot[Catalogue],
        subscriptions: Snapshot[Subscriptions],
    ) -> None:
        self._database = database
        self._catalogue = catalogue
        self._subscriptions = subscriptions

    @property
    def catalogue(self) -> Catalogue:
        """All contracts."""
        return self._catalogue.value

    @property
    def subscriptions(self) -> Subscriptions:
        """All subscriptions."""
        return self._subscriptions.value

    def versions(self) -> tuple[int, int]:
        """Changes whenever something above does."""
        return self._catalogue.revision, self._subscriptions.revision

    async def load_contracts(self, types: Iterable[str]) -> None:
        """Refresh the contracts if one of these types lacks its own. Raises DatabaseUnavailable."""
        await load_contracts(types, self._catalogue, self._database)

    async def refresh(self) -> None:
        """Look now. Raises DatabaseUnavailable."""
        await refresh(self._database, self._catalogue, self._subscriptions)

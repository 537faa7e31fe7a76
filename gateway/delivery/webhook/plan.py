"""What the control plane has a deliver process do."""

from dataclasses import dataclass

from gateway.base.settings import Settings
from gateway.base.snapshot import Snapshot
from gateway.contracts import Catalogue
from gateway.delivery.store import Key
from gateway.delivery.webhook.assignment import Assignment, assign
from gateway.identity import Directory
from gateway.subscriptions import Delivery, Subscriptions, webhooks


@dataclass(frozen=True, slots=True)
class Plan:
    """The control plane, as this process has it in memory."""

    directories: Snapshot[Directory]
    catalogues: Snapshot[Catalogue]
    subscriptions: Snapshot[Subscriptions]
    webhooks: Snapshot[webhooks.Webhooks]

    def assignments(self, settings: Settings) -> dict[Key, Assignment | None]:
        """For every webhook what is to be done."""
        known = self.webhooks.value
        directory, catalogue = self.directories.value, self.catalogues.value
        return {
            each.key: assign(each, known.of(each.key), directory, catalogue, settings)
            for each in self.subscriptions.value.all
            if each.delivery is Delivery.WEBHOOK
        }

    @property
    def revision(self) -> tuple[int, ...]:
        """Moves whenever any part does."""
        parts = (self.directories, self.catalogues, self.subscriptions, self.webhooks)
        return tuple(part.revision for part in parts)

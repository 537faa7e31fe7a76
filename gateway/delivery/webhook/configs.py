"""What a dispatcher works by; another assignment of a subscription means a new dispatcher."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from urllib.parse import urlsplit

from gateway.base.settings import Settings
from gateway.base.snapshot import Snapshot
from gateway.contracts import Catalogue
from gateway.delivery.store import Key
from gateway.delivery.webhook.signatures import Sign, signers
from gateway.identity import Directory
from gateway.subscriptions import Delivery, Endpoint, Subscription, Subscriptions, webhooks
from gateway.subscriptions.permissions import may_receive

DEFAULT_RATE = 100.0  # deliveries a second: an endpoint is never pushed without a bound


@dataclass(frozen=True)
class WebhookConfig:
    """A subscription that is to be delivered now, with its endpoint and the keys that sign."""

    subscription: Subscription
    agreed_url: str | None
    agreed_rate: float | None
    keys: tuple[webhooks.SigningKey, ...]
    settings: Settings

    @property
    def endpoint(self) -> Endpoint:
        """Where to."""
        endpoint = self.subscription.terms.endpoint
        if endpoint is None:
            raise ValueError(f"{self.subscription.name} has no endpoint")
        return endpoint

    @property
    def agreed(self) -> bool:
        """Whether this very URL has taken part in the handshake."""
        return self.agreed_url == self.endpoint.url

    @property
    def wanted_rate(self) -> float:
        """Deliveries a second that its owner would like."""
        return self.subscription.terms.rate or DEFAULT_RATE

    @property
    def rate(self) -> float:
        """Deliveries a second, as far as the endpoint allows."""
        return min(self.wanted_rate, self.agreed_rate or self.wanted_rate)

    def sign(self) -> tuple[Sign, ...]:
        """What makes the signatures now; a key that was replaced ends by itself."""
        now = datetime.now(UTC)
        signs = zip(self.keys, self._signs, strict=True)
        return tuple(sign for key, sign in signs if key.ends is None or key.ends > now)

    @cached_property
    def _signs(self) -> tuple[Sign, ...]:
        return signers(self.keys, self.settings.secret_key)


def assign(
    subscription: Subscription | None,
    webhook: webhooks.Webhook,
    directory: Directory,
    catalogue: Catalogue,
    settings: Settings,
) -> WebhookConfig | None:
    """What is to be done for a subscription; None if nothing, as it is paused or has no right."""
    if subscription is None or subscription.delivery is not Delivery.WEBHOOK:
        return None
    if subscription.paused or subscription.terms.endpoint is None:
        return None
    if not all(
        may_receive(subscription.organisation, types, directory, catalogue)
        for types in subscription.types
    ):
        return None
    return WebhookConfig(
        subscription, webhook.agreed_url, webhook.agreed_rate, webhook.keys, settings
    )


@dataclass(frozen=True, slots=True)
class WebhookConfigs:
    """The control plane, as this process has it in memory."""

    directories: Snapshot[Directory]
    catalogues: Snapshot[Catalogue]
    subscriptions: Snapshot[Subscriptions]
    webhooks: Snapshot[webhooks.Webhooks]

    def assignments(self, settings: Settings) -> dict[Key, WebhookConfig | None]:
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


def origin(settings: Settings) -> str:
    """The DNS name by which endpoints permit this bus."""
    return settings.webhook_origin or urlsplit(settings.url).hostname or "nusabus"

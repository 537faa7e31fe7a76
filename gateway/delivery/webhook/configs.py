"""The configuration of webhooks; a dispatcher whose configuration changes is replaced."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from urllib.parse import urlsplit

from gateway.base.defects import report_defect
from gateway.base.settings import Settings
from gateway.base.snapshot import Snapshot
from gateway.contracts import Catalogue
from gateway.delivery.store import Key
from gateway.delivery.webhook.signatures import Sign, signers
from gateway.identity import Directory
from gateway.subscriptions import Delivery, Endpoint, Subscription, Subscriptions, webhooks
from gateway.subscriptions.permissions import may_receive

DEFAULT_RATE = 100.0  # deliveries per second where the subscription sets no rate


@dataclass(frozen=True)
class WebhookConfig:
    """A subscription that is delivered by webhook, its handshake and its signing keys."""

    subscription: Subscription
    accepted_url: str | None
    accepted_rate: float | None
    keys: tuple[webhooks.SigningKey, ...]
    settings: Settings

    @property
    def endpoint(self) -> Endpoint:
        """The endpoint. Raises ValueError where the subscription has none."""
        endpoint = self.subscription.terms.endpoint
        if endpoint is None:
            raise ValueError(f"{self.subscription.name} has no endpoint")
        return endpoint

    @property
    def accepted(self) -> bool:
        """Whether this URL has accepted the handshake."""
        return self.accepted_url == self.endpoint.url

    @property
    def requested_rate(self) -> float:
        """Deliveries per second that the subscription asks for."""
        return self.subscription.terms.rate or DEFAULT_RATE

    @property
    def rate(self) -> float:
        """Deliveries per second that the endpoint accepts as well."""
        return min(self.requested_rate, self.accepted_rate or self.requested_rate)

    def sign(self) -> tuple[Sign, ...]:
        """The functions that sign now. A key that was replaced expires by itself."""
        now = datetime.now(UTC)
        signs = zip(self.keys, self._signs, strict=True)
        return tuple(sign for key, sign in signs if key.ends is None or key.ends > now)

    @cached_property
    def _signs(self) -> tuple[Sign, ...]:
        return signers(self.keys, self.settings.secret_key)


@dataclass(frozen=True, slots=True)
class WebhookConfigs:
    """The configurations of all webhooks, from the snapshots of this process."""

    directories: Snapshot[Directory]
    catalogues: Snapshot[Catalogue]
    subscriptions: Snapshot[Subscriptions]
    webhooks: Snapshot[webhooks.Webhooks]

    def all(self, settings: Settings) -> dict[Key, WebhookConfig | None]:
        """The configuration of every webhook; None where nothing may be delivered now."""
        return {
            each.key: self._config_or_none(each, settings)
            for each in self.subscriptions.value.all
            if each.delivery is Delivery.WEBHOOK
        }

    def _config_or_none(
        self, subscription: Subscription, settings: Settings
    ) -> WebhookConfig | None:
        """None also for one that cannot be read, which must not hold up the others."""
        try:
            return self._config_of(subscription, settings)
        except Exception as error:
            organisation, name = subscription.key
            report_defect("webhooks.configs", error, organisation=organisation, subscription=name)
            return None

    def _config_of(self, subscription: Subscription, settings: Settings) -> WebhookConfig | None:
        if subscription.paused or subscription.terms.endpoint is None:
            return None
        directory, catalogue = self.directories.value, self.catalogues.value
        if subscription.organisation in directory.suspended:
            return None
        if not all(
            may_receive(subscription.organisation, types, directory, catalogue)
            for types in subscription.types
        ):
            return None
        webhook = self.webhooks.value.of(subscription.key)
        return WebhookConfig(
            subscription, webhook.agreed_url, webhook.agreed_rate, webhook.keys, settings
        )

    @property
    def revision(self) -> tuple[int, ...]:
        """Changes whenever one of the snapshots does."""
        parts = (self.directories, self.catalogues, self.subscriptions, self.webhooks)
        return tuple(part.revision for part in parts)


def origin(settings: Settings) -> str:
    """The DNS name of this bus in the handshake, which endpoints permit."""
    return settings.webhook_origin or urlsplit(settings.url).hostname or "nusabus"

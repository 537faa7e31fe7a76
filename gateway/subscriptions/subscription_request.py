"""A request for a subscription: what it asks for, and whether that can be delivered."""

from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.base.errors import Invalid
from gateway.base.masking import require_impersonal
from gateway.broker import LONGEST_AGE, hash_password
from gateway.contracts import Pattern
from gateway.identity import NOBODY, Client, Credential
from gateway.subscriptions.start_positions import start_text
from gateway.subscriptions.values import (
    DEFAULT_TERMS,
    Delivery,
    Subscription,
    SubscriptionState,
    Terms,
)


@dataclass(frozen=True, slots=True)
class SubscriptionRequest:
    """What a client wants to receive. `start` is now, beginning, waiting or a time.

    `waiting` is for point-to-point types: from the first event that no subscription has had.
    """

    name: str
    types: tuple[str, ...]
    ordered: bool
    start: str | datetime | None
    delivery: Delivery = Delivery.AMQP
    terms: Terms = DEFAULT_TERMS

    def require_deliverable(self, pattern: Pattern) -> None:
        """Raises Invalid for terms that events of this pattern or this delivery cannot have.

        Also for a name that holds personal data.
        """
        require_impersonal(self.name, parameter="name")
        if self.terms.filters and pattern is not Pattern.PUBLISH_SUBSCRIBE:
            raise Invalid(
                f"{pattern} events have one receiver, so an event that a filter excludes would "
                "reach nobody. Use filters for publish-subscribe types only.",
                pointer="/terms/filters",
            )
        if self.terms.max_age is not None and self.delivery is Delivery.STREAM:
            raise Invalid(
                "A stream has no dead letters for events that are too old. Omit max_age, or choose "
                "pull, webhook or amqp.",
                pointer="/terms/max_age",
            )
        if self.delivery is Delivery.AMQP and (self.terms.max_age or 0) > LONGEST_AGE:
            raise Invalid(
                f"Over AMQP max_age may be at most {LONGEST_AGE} seconds. Omit it, or choose pull "
                "or webhook.",
                pointer="/terms/max_age",
            )

    def subscription(
        self, client: Client, pattern: Pattern, password: str | None, by: Credential
    ) -> Subscription:
        """The new subscription. Raises Invalid for a start that does not fit its types."""
        point_to_point = pattern is not Pattern.PUBLISH_SUBSCRIBE
        queued = self.delivery is Delivery.AMQP
        return Subscription(
            client.organisation,
            self.name,
            self.types,
            point_to_point,
            self.ordered,
            start_text(self.start, point_to_point),
            SubscriptionState.CATCHING_UP if queued else SubscriptionState.ACTIVE,
            1,
            hash_password(password) if password else "",
            datetime.now(UTC),
            client.id,
            delivery=self.delivery,
            terms=self.terms,
            is_responder=pattern is Pattern.REQUEST_REPLY,
            password_by=by if password else NOBODY,
        )

"""Bugs in what serves receivers, for `seeded`."""

from contextlib import asynccontextmanager
from functools import wraps
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from consumers.inbox import Inbox
from gateway.base.leases import Lease
from gateway.delivery.dead_letters import redrive
from gateway.delivery.store import deliveries_sql, leases
from gateway.delivery.webhook import dispatcher


def replace(owner: Any, name: str, make: Any) -> None:
    """Put `make(what is there)` in its place. Fails where there is nothing of this name."""
    setattr(owner, name, make(getattr(owner, name)))


def cursor_before_answer() -> None:
    """A webhook's cursor passes a delivery when its call begins."""

    def make(call: Any) -> Any:
        @wraps(call)
        async def early(self: Any, delivery: Any) -> None:
            if delivery.claim is None:
                self.settlements.delivered(delivery)
                self._wake.set()
            await call(self, delivery)

        return early

    replace(dispatcher.Dispatcher, "_call", make)


def lease_check_off() -> None:
    """A dispatcher's lease never runs out for it, and it writes when another has it."""
    statements = vars(leases.DELIVERY_LEASES)  # they are made when they are first asked for
    statements["fence"] = loosened(leases.DELIVERY_LEASES.fence, "epoch = $3")
    replace(Lease, "__bool__", lambda _: lambda self: True)


def lock_check_off() -> None:
    """Any token of an event settles it, however old."""
    replace(deliveries_sql, "ACKNOWLEDGE", lambda text: without(text, "AND o.lock = u.lock"))


def inbox_off() -> None:
    """The consumer's inbox knows nothing."""

    @asynccontextmanager
    async def always(self: Any, event: Any) -> Any:
        async with AsyncSession(self._engine) as session, session.begin():
            yield session

    replace(Inbox, "once", lambda _: always)


def redrive_to_all() -> None:
    """A dead letter of a queue is sent as if it were new, to everybody who wants its type."""

    def make(message_to_queue: Any) -> Any:
        @wraps(message_to_queue)
        def public(subscription: Any, entry: Any, classification: str, token: object) -> Any:
            made = message_to_queue(subscription, entry, classification, token)
            return made._replace(routing_key=entry.event.type)

        return public

    replace(redrive, "message_to_queue", make)


def loosened(text: str, equality: str) -> str:
    """A statement that an older epoch gets through as well."""
    assert equality in text, f"{equality!r} is not in {text!r}"
    return text.replace(equality, equality.replace("=", ">="))


def without(text: str, condition: str) -> str:
    """A statement that does not ask this."""
    assert condition in text, f"{condition!r} is not in {text!r}"
    return text.replace(condition, "")

"""What was sent and what came of it, and the table that shows it."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from adapters.client import Receipt
from deploy.local.demo_inboxes import Delivery
from deploy.local.demo_scenarios import EventPlan, SubscriptionPlan


@dataclass
class Sent:
    """One published event: who has to get it, and who did so after how many seconds."""

    event_plan: EventPlan
    event: dict[str, Any]
    receivers: Sequence[SubscriptionPlan]
    at: float
    receipt: Receipt | None = None
    received: dict[SubscriptionPlan, float] = field(default_factory=dict)

    @property
    def missing(self) -> list[SubscriptionPlan]:
        """The receivers that have not got it."""
        return [each for each in self.receivers if each not in self.received]

    @property
    def seconds(self) -> float | None:
        """From the POST to the last receiver; None while one is missing."""
        return None if self.missing else max(self.received.values())


class Tally:
    """Matches deliveries with what was sent, by identity."""

    def __init__(self, subscription_plans: Sequence[SubscriptionPlan]) -> None:
        self.subscription_plans = subscription_plans
        self.sent: dict[tuple[str, str], Sent] = {}
        self.deliveries: list[Delivery] = []
        self.wrong: list[str] = []
        self.older = 0  # deliveries of events that were published before this run
        self.last = 0.0  # when something was sent or received

    def sending(self, event_plan: EventPlan, event: dict[str, Any], at: float) -> Sent:
        """Note an event that is about to be published."""
        receivers = [each for each in self.subscription_plans if event_plan.type in each.types]
        sent = Sent(event_plan, event, receivers, at)
        self.sent[event["source"], event["id"]] = sent
        self.last = at
        return sent

    def receive(self, delivery: Delivery) -> None:
        """Note a delivery: of this run, of an earlier one, or one that should not be."""
        self.last = delivery.at
        event = delivery.event
        sent = self.sent.get((event["source"], event["id"]))
        if sent is None:
            self.older += 1
            return
        self.deliveries.append(delivery)
        who = delivery.plan
        if delivery.plan not in sent.receivers:
            self.wrong.append(f"{who} got {sent.event_plan.short}, which it did not ask for")
        elif not event.items() >= sent.event.items():
            self.wrong.append(f"{who} got {sent.event_plan.short} other than it was sent")
        else:
            sent.received.setdefault(delivery.plan, delivery.at - sent.at)

    @property
    def complete(self) -> bool:
        """Whether everybody got everything, and nothing else."""
        return not self.wrong and not any(each.missing for each in self.sent.values())

    def table(self) -> Table:
        """Every event so far."""
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        table.add_column("event", no_wrap=True)
        table.add_column("receipt", justify="right", no_wrap=True)
        table.add_column("received by")
        table.add_column("ms", justify="right", no_wrap=True)
        for each in self.sent.values():
            table.add_row(_event(each), _receipt(each), _receivers(each), _milliseconds(each))
        return table

    def summary(self) -> Text:
        """The total, and everything that is not as it should be."""
        found = [each.seconds for each in self.sent.values() if each.seconds is not None]
        deliveries = sum(len(each.received) for each in self.sent.values())
        expected = sum(len(each.receivers) for each in self.sent.values())
        text = Text(f"{len(self.sent)} events, {deliveries} of {expected} deliveries")
        if found:
            middle, slowest = statistics.median(found) * 1000, max(found) * 1000
            text.append(f", median {middle:.0f} ms, at most {slowest:.0f} ms")
        if self.older:
            text.append(f"; {self.older} more had been waiting")
        for each in self.sent.values():
            for plan in each.missing:
                text.append(f"\nmissing: {each.event_plan.short} at {plan}", "bold red")
        for sentence in self.wrong:
            text.append(f"\nwrong: {sentence}", "bold red")
        return text


def _event(sent: Sent) -> Text:
    return Text(sent.event_plan.short).append(f"\n{sent.event_plan.subject}", "dim")


def _receipt(sent: Sent) -> str:
    return f"{sent.receipt.shard}/{sent.receipt.sequence}" if sent.receipt else ""


def _receivers(sent: Sent) -> Text:
    names: dict[str, int] = {}
    for plan in sent.received:
        names[plan.organisation] = names.get(plan.organisation, 0) + 1
    text = Text(", ".join(f"{name} x{n}" if n > 1 else name for name, n in sorted(names.items())))
    if sent.missing:
        text.append(f" ({len(sent.missing)} missing)", "red")
    return text


def _milliseconds(sent: Sent) -> str:
    return "" if sent.seconds is None else f"{sent.seconds * 1000:.0f}"

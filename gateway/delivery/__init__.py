"""Verb: deliver to subscribers, and repair what delivery needs."""

from gateway.delivery.consumer_reports import Reported, Reporting
from gateway.delivery.dead_letters.alerts import Attention, DeadLetterAlerts
from gateway.delivery.dead_letters.consumer import DeadLetterConsumer
from gateway.delivery.dead_letters.non_delivery_reports import NonDeliveryReporter
from gateway.delivery.dead_letters.redrive import Redriver, Redriving
from gateway.delivery.dead_letters.resend import Resending, Resent
from gateway.delivery.journal_scanner import JournalScanner
from gateway.delivery.ledger import Delivered, DeliveryLedger, Lag, Stage
from gateway.delivery.pull import Pull, Received, Settlement
from gateway.delivery.stream import Streamed, Streaming
from gateway.delivery.test_delivery import Trying
from gateway.delivery.test_event import Trial, a_number, trial_entry
from gateway.delivery.wakeups import Wakeups

__all__ = [
    "Attention",
    "DeadLetterAlerts",
    "DeadLetterConsumer",
    "Delivered",
    "DeliveryLedger",
    "JournalScanner",
    "Lag",
    "NonDeliveryReporter",
    "Pull",
    "Received",
    "Redriver",
    "Redriving",
    "Reported",
    "Reporting",
    "Resending",
    "Resent",
    "Settlement",
    "Stage",
    "Streamed",
    "Streaming",
    "Trial",
    "Trying",
    "Wakeups",
    "a_number",
    "trial_entry",
]

"""Delivers events to subscribers: pull, stream, webhooks; and handles what cannot be delivered."""

from gateway.delivery.consumer_reports import ConsumerReports, ReportResult
from gateway.delivery.dead_letters.alerts import DeadLetterAlerts, DeadLetterMetrics
from gateway.delivery.dead_letters.consumer import DeadLetterConsumer
from gateway.delivery.dead_letters.non_delivery_reports import NonDeliveryReporter
from gateway.delivery.dead_letters.redrive import Redriver, RedriveWorker
from gateway.delivery.dead_letters.resend import Resender, ResentEvent
from gateway.delivery.delivery_tester import DeliveryTester
from gateway.delivery.journal_scanner import JournalScanner
from gateway.delivery.ledger import DeliveryLedger, DeliveryStatus, Lag, Stage
from gateway.delivery.outgoing import GatewayAttributes, outgoing_event
from gateway.delivery.pull import PullDelivery, ReceivedEvent, TokenResult
from gateway.delivery.store import set_ledger_retention
from gateway.delivery.stream import HEARTBEAT, StreamDelivery, StreamEvent
from gateway.delivery.stream_position import Restored
from gateway.delivery.test_event import DeliveryTest, make_test_entry, new_test_number
from gateway.delivery.wakeups import Wakeups

__all__ = [
    "HEARTBEAT",
    "ConsumerReports",
    "DeadLetterAlerts",
    "DeadLetterConsumer",
    "DeadLetterMetrics",
    "DeliveryLedger",
    "DeliveryStatus",
    "DeliveryTest",
    "DeliveryTester",
    "GatewayAttributes",
    "JournalScanner",
    "Lag",
    "NonDeliveryReporter",
    "PullDelivery",
    "ReceivedEvent",
    "RedriveWorker",
    "Redriver",
    "ReportResult",
    "Resender",
    "ResentEvent",
    "Restored",
    "Stage",
    "StreamDelivery",
    "StreamEvent",
    "TokenResult",
    "Wakeups",
    "make_test_entry",
    "new_test_number",
    "outgoing_event",
    "set_ledger_retention",
]

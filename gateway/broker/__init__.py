"""RabbitMQ: names, topology, users, publishing with confirms, and the queues that we read."""

from gateway.broker import message, names
from gateway.broker.address import subscriber_url
from gateway.broker.confirm_publisher import ConfirmPublisher, publish_confirmed
from gateway.broker.dead_letter_queue import DeadLetterMessage, DeadLetterQueue
from gateway.broker.management import Management, hash_password
from gateway.broker.message import OutgoingMessage
from gateway.broker.pending_confirms import ConfirmOutcome, ConfirmResult
from gateway.broker.queue_reader import held_events
from gateway.broker.queue_state import QueueState
from gateway.broker.reply_queue import ReplyMessage, ReplyQueue
from gateway.broker.topology import LONGEST_AGE, Broker, NotOnBroker

__all__ = [
    "LONGEST_AGE",
    "Broker",
    "ConfirmOutcome",
    "ConfirmPublisher",
    "ConfirmResult",
    "DeadLetterMessage",
    "DeadLetterQueue",
    "Management",
    "NotOnBroker",
    "OutgoingMessage",
    "QueueState",
    "ReplyMessage",
    "ReplyQueue",
    "hash_password",
    "held_events",
    "message",
    "names",
    "publish_confirmed",
    "subscriber_url",
]

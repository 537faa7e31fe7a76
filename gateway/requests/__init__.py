"""Verb: ask and answer."""

from gateway.requests.answering import Answering, Replied, Responder
from gateway.requests.arriving import Arriving
from gateway.requests.asking import LONGEST_WAIT, Asked, Asking, State
from gateway.requests.responders import Responders
from gateway.requests.waiting import Waiting

__all__ = [
    "LONGEST_WAIT",
    "Answering",
    "Arriving",
    "Asked",
    "Asking",
    "Replied",
    "Responder",
    "Responders",
    "State",
    "Waiting",
]

"""The composition root of each process: plain constructors, one TaskGroup, one way to stop."""

from gateway.compose.api import api
from gateway.compose.common import CONNECT
from gateway.compose.deliver import deliver
from gateway.compose.relay import relay

__all__ = ["CONNECT", "api", "deliver", "relay"]

"""The composition root of each process: plain constructors, one TaskGroup, one way to stop."""

from gateway.processes.api import api
from gateway.processes.context import CONNECT
from gateway.processes.deliver import deliver
from gateway.processes.grpc import grpc
from gateway.processes.recovery import recover
from gateway.processes.relay import relay
from gateway.processes.retention import retention

__all__ = ["CONNECT", "api", "deliver", "grpc", "recover", "relay", "retention"]

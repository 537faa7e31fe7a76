"""Connections over gRPC: how one is opened, who calls, and what an error says."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
from google.rpc import error_details_pb2  # type: ignore[import-untyped]  # it has no types
from grpc_status import rpc_status

from adapters.client.problem import Problem
from adapters.client.tls import Tls
from adapters.client.wire import bus_pb2 as messages

SERVICE = "/nusabus.bus.v1.BusService"
# A connection that is gone is noticed within a minute, also while nothing is sent.
OPTIONS = [
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.use_local_subchannel_pool", 1),  # a connection of its own, which others cannot fill
]
LARGEST = 16 << 20  # bytes of a message: one event of up to 8 MiB, or 1 MiB of them

# Of errors without a problem: they come from gRPC itself, or from a proxy.
_STATUSES = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 413,  # a message is larger than this side takes
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
}
AccessToken = Callable[[], Awaitable[str]]
"""Fetches an access token: that of a Nusabus."""


def open_channel(address: str, tls: Tls | bool) -> grpc.aio.Channel:
    """A connection to `address`, host:port. Raises UnusableFile.

    `tls` has the files to use. True: the authorities in the file that
    GRPC_DEFAULT_SSL_ROOTS_FILE_PATH names, or the public ones. False: nothing is encrypted.
    """
    options = [*OPTIONS, ("grpc.max_receive_message_length", LARGEST)]
    if tls is False:
        return grpc.aio.insecure_channel(address, options)
    return grpc.aio.secure_channel(address, _credentials(Tls() if tls is True else tls), options)


def _credentials(tls: Tls) -> grpc.ChannelCredentials:
    tls.context()  # raises UnusableFile, with what to do
    key = tls.key_file or tls.certificate_file
    files = (tls.ca_file, key, tls.certificate_file)
    return grpc.ssl_channel_credentials(
        *(Path(each).read_bytes() if each else None for each in files)
    )


async def metadata(access_token: AccessToken) -> list[tuple[str, str]]:
    """Who calls."""
    return [("authorization", f"Bearer {await access_token()}")]


def problem_of(error: grpc.aio.AioRpcError) -> Problem:
    """The problem in the details of a call, or its status."""
    call: Any = error
    status = rpc_status.from_call(call)
    problem, retry = messages.Problem(), error_details_pb2.RetryInfo()
    retry_after, document = None, None
    for detail in status.details if status is not None else ():
        if detail.Unpack(problem):
            document = json.loads(problem.document)
        elif detail.Unpack(retry):
            retry_after = retry.retry_delay.ToNanoseconds() / 1e9
    if document is not None:
        return Problem.of(document, retry_after)
    status_of_http = _STATUSES.get(error.code(), 500)
    return Problem(status_of_http, "about:blank", error.code().name, error.details() or "")

"""The gRPC server of a process: its limits, TLS, health, reflection, and how it ends."""

import logging

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from gateway.base.errors import NusabusError
from gateway.base.settings import Settings
from gateway.base.stop import Stop
from gateway.base.telemetry import log
from gateway.base.tls import own_certificate
from gateway.grpc.context import GrpcContext
from gateway.grpc.service import NAME, BusService
from gateway.processes.grpc_tls import GrpcTls

GRACE = 10.0  # seconds for calls in progress to finish
MESSAGE_OVERHEAD = 64 << 10  # bytes beside the events of a chunk
METADATA = 16 << 10  # bytes
IDLE = 300_000  # milliseconds after which a connection without a call is closed
KEEPALIVE, KEEPALIVE_ANSWER = 30_000, 20_000  # milliseconds
FASTEST_PING = 10_000  # milliseconds between two pings of a client
LOGGER = "grpc._cython.cygrpc"
SERVING: int = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING: int = health_pb2.HealthCheckResponse.NOT_SERVING


class UnusablePort(NusabusError):
    """The address cannot be listened at."""

    code = "unusable-port"


class GrpcServer:
    """Serves on a port that other grpc processes may share."""

    def __init__(self, context: GrpcContext) -> None:
        self._context = context
        self._service = BusService(context)
        self._health = health.aio.HealthServicer()

    async def run(self, stop: Stop) -> None:
        """Serve until stopped; then finish what is in progress. Raises UnusablePort."""
        settings = self._context.settings
        logging.getLogger(LOGGER).addFilter(is_no_lost_client)
        server = grpc.aio.server(options=options(settings))
        server.add_generic_rpc_handlers((self._service.handlers(),))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        reflection.enable_server_reflection(
            (NAME, health.SERVICE_NAME, reflection.SERVICE_NAME), server
        )
        port = self._listen(server, settings)
        await self.update_health()
        await server.start()
        log().info("grpc.listening", host=settings.host, port=port)
        await stop.wait()
        await self._health.enter_graceful_shutdown()
        await server.stop(GRACE)
        await self._service.finish()

    async def update_health(self) -> None:
        """Say by the standard service whether events can be accepted."""
        if self._context.stop:
            return
        try:
            self._context.publisher.require_capacity()
            self._context.publisher.require_writable()
            status = SERVING
        except NusabusError:
            status = NOT_SERVING
        for service in ("", NAME):
            await self._health.set(service, status)

    def _listen(self, server: grpc.aio.Server, settings: Settings) -> int:
        address = f"{settings.host}:{settings.grpc_port}"
        files = own_certificate(settings)
        try:
            if files is None:
                return server.add_insecure_port(address)
            tls = GrpcTls(files, settings, lambda: self._context.directory.self_signed)
            return server.add_secure_port(address, tls.credentials())
        except RuntimeError as error:
            raise UnusablePort(
                f"Cannot listen at {address} ({error}). Set NUSABUS_GRPC_PORT to a free port."
            ) from None


def is_no_lost_client(record: logging.LogRecord) -> bool:
    """Whether a record of gRPC tells of anything but an answer whose client has just gone."""
    return not (record.exc_info and isinstance(record.exc_info[1], grpc.aio.InternalError))


def options(settings: Settings) -> list[tuple[str, int]]:
    """The limits of the server; see https://github.com/grpc/grpc/blob/master/doc/keepalive.md."""
    return [
        ("grpc.so_reuseport", 1),
        ("grpc.max_receive_message_length", settings.batch_limit + MESSAGE_OVERHEAD),
        ("grpc.max_metadata_size", METADATA),
        ("grpc.absolute_max_metadata_size", METADATA),
        # More than may be in progress: a call too many is answered, and does not wait unseen.
        ("grpc.max_concurrent_streams", 2 * settings.grpc_calls),
        ("grpc.max_allowed_incoming_connections", settings.connections),
        ("grpc.server_handshake_timeout_ms", round(settings.header_seconds * 1000)),
        ("grpc.max_connection_idle_ms", IDLE),
        # A client that is gone is noticed, and one may ask as often as load balancers cut off.
        ("grpc.keepalive_time_ms", KEEPALIVE),
        ("grpc.keepalive_timeout_ms", KEEPALIVE_ANSWER),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", FASTEST_PING),
    ]

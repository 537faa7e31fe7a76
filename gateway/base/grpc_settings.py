"""The settings of the gRPC door."""

from pydantic import BaseModel, Field


class GrpcSettings(BaseModel):
    """Part of the settings of a process."""

    grpc_port: int = Field(8090, ge=0, le=65535, description="Port of a `grpc` process")
    grpc_calls: int = Field(
        100, ge=1, le=10_000, description="Calls in progress of a `grpc` process"
    )
    grpc_require_certificate: bool = Field(
        False,
        description="Only clients that show a certificate may connect over gRPC: one of "
        "NUSABUS_TLS_CLIENT_CA_FILE, or one that a client has registered",
    )

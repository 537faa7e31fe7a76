"""The settings of a process: parsed once in `__main__`, frozen, and handed down."""

from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any
from urllib.parse import urlsplit

from pydantic import ConfigDict, Field, SecretStr, ValidationError
from pydantic import field_validator as field_rule
from pydantic import model_validator as rule

from gateway.base.grpc_settings import GrpcSettings
from gateway.base.quota_settings import QuotaSettings

PREFIX = "NUSABUS_"
_KEY_FILE = "Its private key (PEM). Default: in the file of the certificate"


class InvalidSettings(Exception):
    """At least one variable is missing or invalid; the text names each one."""


class Settings(GrpcSettings, QuotaSettings):
    """The settings of a process. Field `x_y` is read from `NUSABUS_X_Y`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    database_url: SecretStr = Field(description="postgresql://user:password@host:port/database")
    migration_database_url: SecretStr | None = Field(
        None,
        description="The same database as the owner of its tables, for `migrate` alone. "
        "Default: NUSABUS_DATABASE_URL.",
    )
    retention_database_url: SecretStr | None = Field(
        None,
        description="The same database as a member of nusabus_retention, for `retention` alone",
    )
    amqp_url: SecretStr = Field(description="amqp(s)://user:password@host:port,host:port/vhost")
    management_url: SecretStr | None = Field(
        None, description="URL of RabbitMQ's management API. Default: derived from the AMQP URL."
    )
    subscriber_amqp_url: str | None = Field(
        None,
        description="amqp(s)://host:port at which subscribers reach the broker. Default: that of "
        "the AMQP URL.",
    )
    secret_key: SecretStr = Field(
        description="At least 32 characters. Keys the hashes of secrets and encrypts signing keys.",
        min_length=32,
    )
    metrics_token: SecretStr | None = Field(
        None,
        description="Bearer token for /metrics. Unset disables the endpoint.",
        min_length=16,
    )
    url: str = Field("http://127.0.0.1:8080", description="Public base URL of this gateway")
    trusted_proxies: str | None = Field(
        None, description="Addresses of load balancers whose X-Forwarded-For is trusted"
    )
    tls_certificate_file: str | None = Field(
        None, description="Certificate chain (PEM) of this process's ports. Unset: without TLS"
    )
    tls_key_file: str | None = Field(None, description=_KEY_FILE)
    tls_client_ca_file: str | None = Field(
        None,
        description="Authorities (PEM) that issue certificates of clients, by whose names these "
        "may get tokens (RFC 8705). Unset: no names",
    )
    client_cert_header: bool = Field(
        False,
        description="Believe the header Client-Cert (RFC 9440) of the trusted proxies, which end "
        "TLS, verify certificates of clients and replace the header",
    )
    host: str = "127.0.0.1"
    port: int = Field(8080, ge=0, le=65535)
    health_port: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="Port of /health and /metrics of `relay`, `deliver`, `grpc`. Unset: none",
    )

    connections: int = Field(
        4096, ge=16, description="Maximum open HTTP connections of one process"
    )
    connections_per_address: int = Field(
        512, ge=1, description="Maximum of them from one address; trusted proxies have no limit"
    )
    header_seconds: float = Field(
        10.0, gt=0, description="Seconds in which the headers of a request must arrive"
    )
    header_bytes: int = Field(
        64 << 10, ge=8192, le=1 << 20, description="Maximum bytes of the headers of a request"
    )
    header_count: int = Field(
        100, ge=64, le=1000, description="Maximum number of headers of a request"
    )
    url_bytes: int = Field(8192, ge=1024, le=64 << 10, description="Maximum bytes of a URL")
    body_seconds: float = Field(
        60.0, gt=0, description="Seconds in which the body of a request must arrive"
    )
    body_rate: int = Field(
        1024, ge=1, description="Minimum bytes per second of a body, after the first ten seconds"
    )
    keep_alive_seconds: float = Field(
        75.0, ge=1, description="Seconds after which an idle connection is closed"
    )
    pipelined_requests: int = Field(
        16, ge=1, le=1000, description="Maximum requests that wait on one connection"
    )

    requests_in_progress: int = Field(
        128,
        ge=1,
        description="Maximum publishing requests of one organisation in progress, per process",
    )

    event_limit: int = Field(1 << 20, ge=1024, le=8 << 20, description="Maximum bytes of one event")
    batch_limit: int = Field(4 << 20, ge=1024, le=64 << 20, description="Maximum bytes of a batch")
    batch_events: int = Field(1000, ge=1, le=10_000, description="Maximum events of a batch")
    validation_seconds: float = Field(
        2.5,
        gt=0,
        le=60,
        description="CPU seconds that validating an event of the largest size may take, as "
        "measured when its schema is registered; an event is refused at twice as many",
    )
    validation_workers: int = Field(
        2, ge=1, le=64, description="Processes beside each process that validate what may take long"
    )
    token_seconds: int = Field(600, ge=60, le=3600, description="Lifetime of an access token")

    shards: int = Field(
        4, ge=1, le=64, description="Number of shards; used once, when the journal is created"
    )
    journal_connections: int = Field(4, ge=1, le=64, description="Connections per process")
    journal_writers: int = Field(1, ge=1, le=64, description="Concurrent group commits per process")
    append_timeout: float = Field(
        10.0, gt=0, description="Seconds after which an append is unknown"
    )
    backlog_limit: int = Field(
        5_000_000, ge=1, description="Backlog, in entries, at which publishing answers 503"
    )

    relay_name: str | None = Field(
        None, description="Unique name of the relay. Default: host and process."
    )
    lease_seconds: float = Field(
        5.0, ge=1, description="A relay that is silent for this long loses its shard"
    )
    relay_in_flight: int = Field(
        8000, ge=1, description="Maximum messages in flight per relay, over all its shards"
    )
    confirm_timeout: float = Field(
        60.0, gt=0, description="Seconds without a confirm after which the channel is opened again"
    )
    queue_statistics_delay: float = Field(
        30.0, ge=0, description="Seconds by which the broker's queue statistics may be late"
    )
    queue_depth_limit: int = Field(
        100_000,
        ge=100,
        description="Ready messages at which a queue is deep: newer events wait in the journal "
        "until the subscriber has brought it below half of this limit",
    )
    ledger_retention_days: int = Field(
        90, ge=1, description="Days for which settled deliveries and failed attempts are kept"
    )
    refusal_retention_days: int = Field(
        365, ge=1, description="Days for which refused events and replies are kept"
    )
    dead_letter_retention_days: int = Field(
        365, ge=1, description="Days for which dead letters and redrives are kept after they ended"
    )
    identity_retention_days: int | None = Field(
        None,
        ge=30,
        description="Days for which a repeat of an event is known after the event was recorded; "
        "longer as long as the event itself is kept. Unset: for ever",
    )
    dead_letter_alert_hours: float = Field(
        24.0, gt=0, description="Hours after which a dead letter that nobody inspected is reported"
    )
    webhook_networks: str | None = Field(
        None, description="Private networks that webhooks may reach, such as 10.20.0.0/16,fd12::/48"
    )
    webhook_http: bool = Field(False, description="Permit http:// in those networks")
    webhook_ca_file: str | None = Field(
        None, description="Certificates (PEM) that are trusted beside the public authorities"
    )
    webhook_certificate_file: str | None = Field(
        None, description="Certificate (PEM) that is shown to endpoints which ask for one"
    )
    webhook_key_file: str | None = Field(None, description=_KEY_FILE)
    webhook_origin: str | None = Field(
        None,
        description="DNS name to which endpoints give permission. Default: the host of "
        "NUSABUS_URL.",
    )
    webhook_retries: str = Field(
        "5,30,120,600,1800,3600,10800,21600,43200,86400",
        description="Seconds before each further attempt; the last value repeats",
    )
    log_level: str = "info"

    @field_rule("database_url", "migration_database_url", "retention_database_url")
    @classmethod
    def _readable(cls, url: SecretStr | None) -> SecretStr | None:
        try:
            urlsplit(url.get_secret_value() if url else "")
        except ValueError:
            raise ValueError(
                "Use postgresql://user:password@host:port/database. Write an IPv6 address in "
                "brackets, and several hosts as ?host=[::1]:5432,[::2]:5432"
            ) from None
        return url

    @field_rule("webhook_networks")
    @classmethod
    def _networks(cls, text: str | None) -> str | None:
        for each in (text or "").split(","):
            if each.strip():
                ip_network(each.strip())
        return text

    @field_rule("webhook_retries")
    @classmethod
    def _retries(cls, text: str) -> str:
        if not all(0 <= float(each) <= 86_400 for each in text.split(",")):
            raise ValueError("Use seconds from 0 to 86400, separated by commas")
        return text

    @rule(mode="after")
    def _consistent(self) -> "Settings":
        if self.event_limit > self.batch_limit:
            raise ValueError(f"{PREFIX}EVENT_LIMIT must not exceed {PREFIX}BATCH_LIMIT")
        if self.connections_per_address > self.connections:
            raise ValueError(f"{PREFIX}CONNECTIONS_PER_ADDRESS must not exceed {PREFIX}CONNECTIONS")
        if self.journal_writers > self.shards:
            raise ValueError(f"{PREFIX}JOURNAL_WRITERS must not exceed {PREFIX}SHARDS")
        return self

    @rule(mode="after")
    def _encrypted(self) -> "Settings":
        if self.tls_certificate_file and not self.url.startswith("https://"):
            raise ValueError(f"{PREFIX}URL must begin with https, with a certificate of TLS")
        if self.tls_key_file and not self.tls_certificate_file:
            raise ValueError(f"{PREFIX}TLS_KEY_FILE needs {PREFIX}TLS_CERTIFICATE_FILE")
        if self.webhook_key_file and not self.webhook_certificate_file:
            raise ValueError(f"{PREFIX}WEBHOOK_KEY_FILE needs {PREFIX}WEBHOOK_CERTIFICATE_FILE")
        if self.grpc_require_certificate and not self.tls_certificate_file:
            raise ValueError(f"{PREFIX}GRPC_REQUIRE_CERTIFICATE needs {PREFIX}TLS_CERTIFICATE_FILE")
        if self.client_cert_header and not self.trusted_proxies:
            raise ValueError(f"{PREFIX}CLIENT_CERT_HEADER needs {PREFIX}TRUSTED_PROXIES")
        if "no_verify_ssl" in self.amqp_url.get_secret_value():
            raise ValueError(f"{PREFIX}AMQP_URL: use cafile instead of no_verify_ssl")
        return self

    @classmethod
    def parse(cls, environ: Mapping[str, str]) -> "Settings":
        """Read the settings from environment variables. Raises InvalidSettings with every fault.

        `NUSABUS_X_FILE` names a file that holds the value of X, for secrets that are mounted.
        """
        values: dict[str, Any] = {}
        for name in cls.model_fields:
            variable = PREFIX + name.upper()
            if variable in environ:
                values[name] = environ[variable]
            elif f"{variable}_FILE" in environ:
                values[name] = _contents(f"{variable}_FILE", environ[f"{variable}_FILE"])
        try:
            return cls(**values)
        except ValidationError as error:
            faults = (
                f"{_variable(e['loc'])}: {e['msg']}"
                for e in error.errors(include_input=False, include_url=False)
            )
            raise InvalidSettings("\n".join(faults)) from None


def _variable(place: tuple[int | str, ...]) -> str:
    return PREFIX + "_".join(map(str, place)).upper() if place else "settings"


def _contents(variable: str, path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip()
    except OSError as error:
        raise InvalidSettings(f"{variable}: {error.strerror}: {path}") from None

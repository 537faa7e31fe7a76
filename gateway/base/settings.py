"""Everything that can be set from outside, parsed once in `__main__` and handed down frozen."""

from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic import field_validator as field_rule
from pydantic import model_validator as rule

PREFIX = "NUSABUS_"


class BadSettings(Exception):
    """A variable is missing or wrong; the text names each one."""


class Settings(BaseModel):
    """The settings of a process. Field `x_y` is read from `NUSABUS_X_Y`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    database_url: SecretStr = Field(description="postgresql://user:password@host:port/database")
    amqp_url: SecretStr = Field(description="amqp(s)://user:password@host:port/vhost")
    management_url: SecretStr | None = Field(
        None, description="RabbitMQ's management API; derived from the AMQP URL when absent"
    )
    subscriber_amqp_url: str | None = Field(
        None, description="amqp(s)://host:port as subscribers reach the broker; default: as we do"
    )
    secret_key: SecretStr = Field(
        description="32 characters or more; keys hashes of client secrets, seals signing keys",
        min_length=32,
    )
    metrics_token: SecretStr | None = Field(
        None,
        description="what opens /metrics, as a bearer token; without one nobody",
        min_length=16,
    )
    url: str = Field("http://127.0.0.1:8080", description="the public base URL of this gateway")
    trusted_proxies: str | None = Field(
        None, description="addresses of load balancers whose X-Forwarded-For is believed"
    )
    host: str = "127.0.0.1"
    port: int = Field(8080, ge=0, le=65535)

    event_limit: int = Field(1 << 20, ge=1024, le=8 << 20, description="bytes of a single event")
    batch_limit: int = Field(4 << 20, ge=1024, le=64 << 20, description="bytes of a batch")
    batch_events: int = Field(1000, ge=1, le=10_000, description="events in a batch")
    token_seconds: int = Field(600, ge=60, le=3600)

    shards: int = Field(4, ge=1, le=64, description="used once, when the journal is made")
    journal_connections: int = Field(4, ge=1, le=64, description="per process")
    journal_writers: int = Field(1, ge=1, le=64, description="group commits under way per process")
    append_timeout: float = Field(10.0, gt=0, description="seconds until an append is unknown")
    backlog_limit: int = Field(
        5_000_000, ge=1, description="entries not yet relayed before intake answers 503"
    )

    relay_name: str | None = Field(None, description="unique per relay; default: host and process")
    lease_seconds: float = Field(5.0, ge=1, description="a silent lead loses its shard after this")
    relay_window: int = Field(4000, ge=1, description="unconfirmed messages per shard")
    confirm_timeout: float = Field(60.0, gt=0)
    drain_margin: float = Field(
        30.0, ge=0, description="seconds that the broker's queue statistics may be out of date"
    )
    queue_depth: int = Field(
        100_000,
        ge=100,
        description="ready messages at which a queue counts as deep: what follows stays in the "
        "journal until its reader has brought it below half of that",
    )
    ledger_days: int = Field(
        90, ge=1, description="days for which settled deliveries and failed attempts are kept"
    )
    dead_letter_alert_hours: float = Field(
        24.0, gt=0, description="after which a dead letter that nobody looked at is told of"
    )
    webhook_networks: str | None = Field(
        None, description="private networks that webhooks may reach, such as 10.20.0.0/16,fd12::/48"
    )
    webhook_http: bool = Field(False, description="permit http:// in those networks")
    webhook_ca_file: str | None = Field(
        None, description="certificates (PEM) that are trusted beside the public authorities"
    )
    webhook_origin: str | None = Field(
        None, description="the DNS name by which endpoints permit us; default: the host of the URL"
    )
    webhook_retries: str = Field(
        "5,30,120,600,1800,3600,10800,21600,43200,86400",
        description="seconds until each further attempt; the last one again for all after it",
    )
    log_level: str = "info"

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
            raise ValueError("seconds from 0 to 86400, with commas between them")
        return text

    @rule(mode="after")
    def _consistent(self) -> "Settings":
        if self.event_limit > self.batch_limit:
            raise ValueError(f"{PREFIX}EVENT_LIMIT must not exceed {PREFIX}BATCH_LIMIT")
        if self.journal_writers > self.shards:
            raise ValueError(f"{PREFIX}JOURNAL_WRITERS must not exceed {PREFIX}SHARDS")
        return self

    @classmethod
    def parse(cls, environ: Mapping[str, str]) -> "Settings":
        """Read the settings from environment variables. Raises BadSettings with every fault.

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
            raise BadSettings("\n".join(faults)) from None


def _variable(place: tuple[int | str, ...]) -> str:
    return PREFIX + "_".join(map(str, place)).upper() if place else "settings"


def _contents(variable: str, path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip()
    except OSError as error:
        raise BadSettings(f"{variable}: {error.strerror}: {path}") from None

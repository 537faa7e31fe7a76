"""The parts of an AsyncAPI document that are the same for every contract."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from gateway.contracts.values import Pattern

JSON = "application/cloudevents+json"
AMQP_BINDING = "0.3.0"  # of AsyncAPI's AMQP 0-9-1 binding
HTTP_BINDING = "0.3.0"
PUBLISH = "publish"
EVENTS = "/v1/events"

_ATTRIBUTES: dict[str, Any] = {
    "specversion": {"const": "1.0"},
    "id": {"type": "string", "minLength": 1, "maxLength": 255},
    "source": {"type": "string", "format": "uri-reference", "minLength": 1, "maxLength": 512},
    "type": {"type": "string", "maxLength": 255},
    "subject": {"type": "string", "maxLength": 512},
    "time": {"type": "string", "format": "date-time"},
    "datacontenttype": {"type": "string"},
    "dataschema": {"type": "string", "format": "uri", "description": "the version that judges"},
    "partitionkey": {"type": "string", "maxLength": 255},
    "traceparent": {"type": "string"},
    "tracestate": {"type": "string"},
}
_FROM_THE_BUS: dict[str, Any] = {
    "sequence": {"type": "string", "description": "shard and number, set by the bus"},
    "recordedtime": {"type": "string", "format": "date-time", "description": "set by the bus"},
    "dataclassification": {
        "enum": ["public", "internal", "confidential", "secret"],
        "description": "of the contract, set by the bus",
    },
}


@dataclass(frozen=True, slots=True)
class Site:
    """Where the bus is, and the name and type of the exchange of each pattern."""

    url: str
    broker_url: str
    version: str
    exchanges: Mapping[Pattern, tuple[str, str]]


def servers(site: Site) -> dict[str, Any]:
    """The gateway, to publish at, and the broker, to receive from."""
    door, broker = urlsplit(site.url), urlsplit(site.broker_url)
    return {
        "gateway": {
            "host": door.netloc,
            "protocol": door.scheme,
            **({"pathname": door.path} if door.path.strip("/") else {}),
            "description": "Where events are published.",
            "security": [{"$ref": "#/components/securitySchemes/client"}],
        },
        "broker": {
            "host": broker.netloc.rpartition("@")[2],
            "protocol": broker.scheme,
            "description": "Where subscriptions are read, each from a queue of its own.",
            "security": [{"$ref": "#/components/securitySchemes/subscription"}],
        },
    }


def security_schemes(site: Site) -> dict[str, Any]:
    """How a client shows who it is."""
    flow = {
        "tokenUrl": f"{site.url.rstrip('/')}/oauth/token",
        "availableScopes": {},
    }
    return {
        "client": {
            "type": "oauth2",
            "description": "Client credentials (RFC 6749, section 4.4).",
            "flows": {"clientCredentials": flow},
        },
        "subscription": {
            "type": "userPassword",
            "description": "User and password of the subscription, in its amqp_url.",
        },
    }


def schemas() -> dict[str, Any]:
    """The envelope of every event."""
    return {
        "CloudEvent": {
            "type": "object",
            "description": "CloudEvents 1.0, JSON format; further extension attributes may stand.",
            "required": ["specversion", "id", "source", "type"],
            "properties": {**_ATTRIBUTES, **_FROM_THE_BUS},
        }
    }


def traits() -> dict[str, Any]:
    """What every message has beside its body: the attributes as headers, to route by."""
    names = [name for name in (*_ATTRIBUTES, *_FROM_THE_BUS) if name != "datacontenttype"]
    always = ["specversion", "id", "source", "type", "sequence", "recordedtime"]
    return {
        "CloudEventHeaders": {
            "contentType": JSON,
            "headers": {
                "type": "object",
                "description": "The attributes again, as strings. Over HTTP they may be left out.",
                "properties": {f"ce-{name}": {"type": "string"} for name in names},
                "x-always-over-amqp": [f"ce-{name}" for name in always],
            },
        }
    }

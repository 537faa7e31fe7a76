"""The components of an AsyncAPI document that are the same for every contract."""

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
    "dataschema": {"type": "string", "format": "uri", "description": "the contract version"},
    "partitionkey": {"type": "string", "maxLength": 255},
    "traceparent": {"type": "string"},
    "tracestate": {"type": "string"},
}
_FROM_THE_BUS: dict[str, Any] = {
    "sequence": {"type": "string", "description": "shard and number, set by the bus"},
    "recordedtime": {"type": "string", "format": "date-time", "description": "set by the bus"},
    "publisher": {"type": "string", "description": "the organisation, set by the bus"},
    "dataclassification": {
        "enum": ["public", "internal", "confidential", "secret"],
        "description": "of the contract, set by the bus",
    },
}


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """The URLs of the bus, and the name and type of the exchange of each pattern."""

    url: str
    broker_url: str
    version: str
    exchanges: Mapping[Pattern, tuple[str, str]]


def servers(server: ServerInfo) -> dict[str, Any]:
    """The gateway, to publish to, and the broker, to receive from."""
    gateway, broker = urlsplit(server.url), urlsplit(server.broker_url)
    return {
        "gateway": {
            "host": gateway.netloc,
            "protocol": gateway.scheme,
            **({"pathname": gateway.path} if gateway.path.strip("/") else {}),
            "description": "Publish events here.",
            "security": [{"$ref": "#/components/securitySchemes/client"}],
        },
        "broker": {
            "host": broker.netloc.rpartition("@")[2],
            "protocol": broker.scheme,
            "description": "Receive events here; each subscription has a queue of its own.",
            "security": [{"$ref": "#/components/securitySchemes/subscription"}],
        },
    }


def security_schemes(server: ServerInfo) -> dict[str, Any]:
    """How a client authenticates."""
    flow = {
        "tokenUrl": f"{server.url.rstrip('/')}/oauth/token",
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
            "description": "The user and password in the amqp_url of the subscription.",
        },
    }


def schemas() -> dict[str, Any]:
    """The envelope of every event."""
    return {
        "CloudEvent": {
            "type": "object",
            "description": "CloudEvents 1.0, JSON format; more extension attributes are allowed.",
            "required": ["specversion", "id", "source", "type"],
            "properties": {**_ATTRIBUTES, **_FROM_THE_BUS},
        }
    }


def traits() -> dict[str, Any]:
    """The traits of every message: the attributes as headers."""
    names = [name for name in (*_ATTRIBUTES, *_FROM_THE_BUS) if name != "datacontenttype"]
    always = ["specversion", "id", "source", "type", "sequence", "recordedtime", "publisher"]
    return {
        "CloudEventHeaders": {
            "contentType": JSON,
            "headers": {
                "type": "object",
                "description": "The attributes as strings. They are optional over HTTP.",
                "properties": {f"ce-{name}": {"type": "string"} for name in names},
                "x-always-over-amqp": [f"ce-{name}" for name in always],
            },
        }
    }

"""The catalogue as an AsyncAPI 3.0 document, for the application of one caller.

The caller publishes over HTTP, and receives from a queue of its own at the broker, to which the
contract's exchange routes events by their type.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.contracts.asyncapi import components
from gateway.contracts.asyncapi.components import ServerInfo
from gateway.contracts.asyncapi.schemas import as_component
from gateway.contracts.code.example import example_event
from gateway.contracts.values import Contract, Pattern

__all__ = ["DocumentedContract", "ServerInfo", "document"]

VERSION = "3.0.0"


@dataclass(frozen=True, slots=True)
class DocumentedContract:
    """A contract with its version in use, and the caller's permissions."""

    contract: Contract
    version: int
    dataschema: str
    schema: Any
    reply: Any = None
    example: Any = None
    state: str = "active"
    may_publish: bool = False
    may_receive: bool = False


def document(contracts: Sequence[DocumentedContract], server: ServerInfo) -> dict[str, Any]:
    """The AsyncAPI document of these contracts. Raises Invalid for an external reference."""
    made: dict[str, Any] = {
        "asyncapi": VERSION,
        "id": f"{server.url.rstrip('/')}/asyncapi.json",
        "info": {
            "title": "Nusabus",
            "version": server.version,
            "description": "The events that the caller may see, publish or receive.",
        },
        "defaultContentType": components.JSON,
        "servers": components.servers(server),
        "channels": {},
        "operations": {},
        "components": {
            "messages": {},
            "messageTraits": components.traits(),
            "schemas": components.schemas(),
            "securitySchemes": components.security_schemes(server),
        },
    }
    for item in contracts:
        _add_messages(made["components"], item)
        made["channels"].update(_channels(item, server))
        made["operations"].update(_operations(item))
    sent = {
        each.contract.type: _message(each.contract.type) for each in contracts if each.may_publish
    }
    if sent:
        made["channels"][components.PUBLISH] = {
            "address": components.EVENTS,
            "title": "Publish",
            "description": "Publish events of every type here.",
            "servers": [{"$ref": "#/servers/gateway"}],
            "messages": sent,
        }
    return made


def _add_messages(made: dict[str, Any], item: DocumentedContract) -> None:
    type = item.contract.type
    data = f"{type}.data"
    made["schemas"][data] = as_component(item.schema, f"/components/schemas/{data}")
    made["messages"][type] = _event(item, data)
    if item.reply is not None:
        reply = f"{type}.reply.data"
        made["schemas"][reply] = as_component(item.reply, f"/components/schemas/{reply}")
        made["messages"][f"{type}.reply"] = {
            "name": f"{type}.reply",
            "title": f"Reply to: {item.contract.title}",
            "contentType": components.JSON,
            "payload": _envelope(None, reply),
            "traits": [{"$ref": "#/components/messageTraits/CloudEventHeaders"}],
        }


def _event(item: DocumentedContract, data: str) -> dict[str, Any]:
    contract = item.contract
    message: dict[str, Any] = {
        "name": contract.type,
        "title": contract.title,
        "description": contract.description,
        "contentType": components.JSON,
        "payload": _envelope(contract.type, data),
        "traits": [{"$ref": "#/components/messageTraits/CloudEventHeaders"}],
        "tags": [{"name": contract.owner}, {"name": contract.classification.value}],
        "externalDocs": {"description": "The schema of the data", "url": item.dataschema},
        "bindings": {"amqp": {"bindingVersion": components.AMQP_BINDING}},
        "x-contract-version": item.version,
        "x-state": item.state,
        "x-ordering": {"key": contract.ordering.key, "description": contract.ordering.description},
    }
    if item.state == "deprecated":
        message["deprecated"] = True
    if item.example is not None:
        event = example_event(contract, item.dataschema, item.schema, item.example)
        message["examples"] = [{"name": "example", "payload": event}]
    return message


def _envelope(type: str | None, data: str) -> dict[str, Any]:
    properties: dict[str, Any] = {"data": {"$ref": f"#/components/schemas/{data}"}}
    if type is not None:
        properties["type"] = {"const": type}
    return {
        "allOf": [
            {"$ref": "#/components/schemas/CloudEvent"},
            {"type": "object", "required": ["data"], "properties": properties},
        ]
    }


def _channels(item: DocumentedContract, server: ServerInfo) -> Iterator[tuple[str, Any]]:
    contract = item.contract
    name, kind = server.exchanges[contract.pattern]
    exchange = {"name": name, "type": kind, "durable": True, "autoDelete": False}
    yield (
        contract.type,
        {
            "address": contract.type,
            "title": contract.title,
            "description": f"{contract.pattern.value}, {contract.classification.value}",
            "servers": [{"$ref": "#/servers/broker"}],
            "messages": {"event": _message(contract.type)},
            "bindings": {
                "amqp": {
                    "is": "routingKey",
                    "exchange": exchange,
                    "bindingVersion": components.AMQP_BINDING,
                }
            },
        },
    )
    if item.reply is not None:
        yield (
            f"{contract.type}.reply",
            {
                "address": None,
                "title": f"Replies to: {contract.title}",
                "messages": {"reply": _message(f"{contract.type}.reply")},
            },
        )


def _operations(item: DocumentedContract) -> Iterator[tuple[str, Any]]:
    contract, type = item.contract, item.contract.type
    if item.may_publish:
        yield (
            f"publish.{type}",
            {
                "action": "send",
                "title": f"Publish: {contract.title}",
                "channel": {"$ref": f"#/channels/{components.PUBLISH}"},
                "messages": [{"$ref": f"#/channels/{components.PUBLISH}/messages/{type}"}],
                "bindings": {"http": {"method": "POST", "bindingVersion": components.HTTP_BINDING}},
                **_reply(contract),
            },
        )
    if item.may_receive:
        amqp = {"deliveryMode": 2, "ack": True, "bindingVersion": components.AMQP_BINDING}
        yield (
            f"receive.{type}",
            {
                "action": "receive",
                "title": f"Receive: {contract.title}",
                "channel": {"$ref": f"#/channels/{type}"},
                "messages": [{"$ref": f"#/channels/{type}/messages/event"}],
                "bindings": {"amqp": amqp},
                **_reply(contract),
            },
        )


def _reply(contract: Contract) -> dict[str, Any]:
    """The reply of an operation, for request-reply contracts."""
    if contract.pattern is not Pattern.REQUEST_REPLY:
        return {}
    return {
        "reply": {
            "channel": {"$ref": f"#/channels/{contract.type}.reply"},
            "messages": [{"$ref": f"#/channels/{contract.type}.reply/messages/reply"}],
        }
    }


def _message(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/messages/{name}"}

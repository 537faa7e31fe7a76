"""The catalogue as an AsyncAPI 3.0 document, for the application of one caller.

What the caller may publish it sends over HTTP; what it may receive it reads from a queue of its
own at the broker, to which the contract's exchange routes by the event type.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.contracts.asyncapi import parts
from gateway.contracts.asyncapi.parts import Site
from gateway.contracts.asyncapi.schemas import as_component
from gateway.contracts.code.example import example_event
from gateway.contracts.values import Contract, Pattern

__all__ = ["Offer", "Site", "document"]

VERSION = "3.0.0"


@dataclass(frozen=True, slots=True)
class Offer:
    """A contract with the version that judges now, and what the caller may do with it."""

    contract: Contract
    version: int
    dataschema: str
    schema: Any
    reply: Any = None
    example: Any = None
    state: str = "active"
    may_publish: bool = False
    may_receive: bool = False


def document(offers: Sequence[Offer], site: Site) -> dict[str, Any]:
    """The AsyncAPI document of these contracts. Raises Invalid for a reference that leads away."""
    made: dict[str, Any] = {
        "asyncapi": VERSION,
        "id": f"{site.url.rstrip('/')}/asyncapi.json",
        "info": {
            "title": "Nusabus",
            "version": site.version,
            "description": "The events that the caller may know of, publish or receive.",
        },
        "defaultContentType": parts.JSON,
        "servers": parts.servers(site),
        "channels": {},
        "operations": {},
        "components": {
            "messages": {},
            "messageTraits": parts.traits(),
            "schemas": parts.schemas(),
            "securitySchemes": parts.security_schemes(site),
        },
    }
    for offer in offers:
        _add_messages(made["components"], offer)
        made["channels"].update(_channels(offer, site))
        made["operations"].update(_operations(offer))
    sent = {each.contract.type: _message(each.contract.type) for each in offers if each.may_publish}
    if sent:
        made["channels"][parts.PUBLISH] = {
            "address": parts.EVENTS,
            "title": "Publish",
            "description": "Events of every type go in here.",
            "servers": [{"$ref": "#/servers/gateway"}],
            "messages": sent,
        }
    return made


def _add_messages(components: dict[str, Any], offer: Offer) -> None:
    type = offer.contract.type
    data = f"{type}.data"
    components["schemas"][data] = as_component(offer.schema, f"/components/schemas/{data}")
    components["messages"][type] = _event(offer, data)
    if offer.reply is not None:
        reply = f"{type}.reply.data"
        components["schemas"][reply] = as_component(offer.reply, f"/components/schemas/{reply}")
        components["messages"][f"{type}.reply"] = {
            "name": f"{type}.reply",
            "title": f"Reply to: {offer.contract.title}",
            "contentType": parts.JSON,
            "payload": _envelope(None, reply),
            "traits": [{"$ref": "#/components/messageTraits/CloudEventHeaders"}],
        }


def _event(offer: Offer, data: str) -> dict[str, Any]:
    contract = offer.contract
    message: dict[str, Any] = {
        "name": contract.type,
        "title": contract.title,
        "description": contract.description,
        "contentType": parts.JSON,
        "payload": _envelope(contract.type, data),
        "traits": [{"$ref": "#/components/messageTraits/CloudEventHeaders"}],
        "tags": [{"name": contract.owner}, {"name": contract.classification.value}],
        "externalDocs": {"description": "The schema that judges", "url": offer.dataschema},
        "bindings": {"amqp": {"bindingVersion": parts.AMQP_BINDING}},
        "x-contract-version": offer.version,
        "x-state": offer.state,
        "x-ordering": {"key": contract.ordering.key, "description": contract.ordering.description},
    }
    if offer.state == "deprecated":
        message["deprecated"] = True
    if offer.example is not None:
        event = example_event(contract, offer.dataschema, offer.schema, offer.example)
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


def _channels(offer: Offer, site: Site) -> Iterator[tuple[str, Any]]:
    contract = offer.contract
    name, kind = site.exchanges[contract.pattern]
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
                    "bindingVersion": parts.AMQP_BINDING,
                }
            },
        },
    )
    if offer.reply is not None:
        yield (
            f"{contract.type}.reply",
            {
                "address": None,
                "title": f"Replies to: {contract.title}",
                "messages": {"reply": _message(f"{contract.type}.reply")},
            },
        )


def _operations(offer: Offer) -> Iterator[tuple[str, Any]]:
    contract, type = offer.contract, offer.contract.type
    reply = (
        {
            "reply": {
                "channel": {"$ref": f"#/channels/{type}.reply"},
                "messages": [{"$ref": f"#/channels/{type}.reply/messages/reply"}],
            }
        }
        if contract.pattern is Pattern.REQUEST_REPLY
        else {}
    )
    if offer.may_publish:
        yield (
            f"publish.{type}",
            {
                "action": "send",
                "title": f"Publish: {contract.title}",
                "channel": {"$ref": f"#/channels/{parts.PUBLISH}"},
                "messages": [{"$ref": f"#/channels/{parts.PUBLISH}/messages/{type}"}],
                "bindings": {"http": {"method": "POST", "bindingVersion": parts.HTTP_BINDING}},
                **reply,
            },
        )
    if offer.may_receive:
        yield (
            f"receive.{type}",
            {
                "action": "receive",
                "title": f"Receive: {contract.title}",
                "channel": {"$ref": f"#/channels/{type}"},
                "messages": [{"$ref": f"#/channels/{type}/messages/event"}],
                "bindings": {
                    "amqp": {"deliveryMode": 2, "ack": True, "bindingVersion": parts.AMQP_BINDING}
                },
                **reply,
            },
        )


def _message(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/messages/{name}"}

"""Contracts as the AsyncAPI document takes them."""

from pathlib import Path

from gateway.base import strict_json
from gateway.contracts import Pattern, submissions
from gateway.contracts.asyncapi import DocumentedContract, ServerInfo

SITE = ServerInfo(
    url="https://bus.example.go.id",
    broker_url="amqps://broker.example.go.id:5671",
    version="1.2.3",
    exchanges={
        Pattern.PUBLISH_SUBSCRIBE: ("bus.events", "topic"),
        Pattern.POINT_TO_POINT: ("bus.commands", "direct"),
        Pattern.REQUEST_REPLY: ("bus.requests", "direct"),
    },
)


def offers_of(folder: Path) -> list[DocumentedContract]:
    """The contracts under a folder, for a caller who may do everything."""
    return [
        DocumentedContract(
            contract=each.contract,
            version=each.versions[-1].number,
            dataschema=f"{SITE.url}/v1/contracts/{each.contract.type}/versions/1/schema",
            schema=strict_json.parse(each.versions[-1].text),
            reply=strict_json.parse(each.versions[-1].reply) if each.versions[-1].reply else None,
            example=next(iter(each.valid.values())),
            may_publish=True,
            may_receive=True,
        )
        for each in submissions(folder)
    ]

"""Events and answers of gRPC, as the rest of the library has them."""

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adapters.client.problem import Problem
from adapters.client.wire.bus_pb2 import ChunkResult
from adapters.client.wire.cloudevents_pb2 import CloudEvent

_FIELDS = {"specversion": "spec_version", "id": "id", "source": "source", "type": "type"}
_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class ChunkAnswer:
    """What became of the events of a chunk: each is stored, or refused.

    `duplicates` of the stored ones were stored before. `refused` holds the places in the chunk,
    counted from 0, and why. `positions` holds shard and sequence by place.
    """

    number: int
    stored: int
    duplicates: int
    refused: Mapping[int, Problem]
    positions: Mapping[int, tuple[int, int]]


def to_message(event: Mapping[str, Any]) -> CloudEvent:
    """A CloudEvent in its JSON format as a message of gRPC. Raises ValueError for what is none."""
    message = CloudEvent()
    attributes = {"specversion": "1.0", **event}
    if "id" not in attributes:
        raise ValueError("An event has no id. Give it one: it may have to be sent again.")
    for name in _FIELDS:
        setattr(message, _FIELDS[name], str(attributes.pop(name, "")))
    base64 = attributes.pop("data_base64", None)
    if base64 is not None:
        message.binary_data = b64decode(base64, validate=True)
    elif "data" in attributes:
        declared = attributes.setdefault("datacontenttype", _JSON)
        data = attributes.pop("data")
        if isinstance(data, str) and not _is_json(declared):
            message.text_data = data
        else:
            message.binary_data = json.dumps(data, ensure_ascii=False, allow_nan=False).encode()
    for name, value in attributes.items():
        if isinstance(value, bool):
            message.attributes[name].ce_boolean = value
        elif isinstance(value, int):
            message.attributes[name].ce_integer = value
        elif value is not None:
            message.attributes[name].ce_string = str(value)
    return message


def to_text(message: CloudEvent) -> str:
    """A message of gRPC as an event in its JSON format, on one line; the data as they were sent."""
    document: dict[str, Any] = {
        "specversion": message.spec_version,
        "id": message.id,
        "source": message.source,
        "type": message.type,
    }
    for name, value in message.attributes.items():
        document[name] = getattr(value, value.WhichOneof("attr") or "ce_string")
    if not message.HasField("binary_data"):
        return json.dumps(document, ensure_ascii=False)
    if not _is_json(document.get("datacontenttype", _JSON)):
        document["data_base64"] = b64encode(message.binary_data).decode()
        return json.dumps(document, ensure_ascii=False)
    # Only white space between JSON tokens can be a line break here.
    data = message.binary_data.decode().replace("\n", " ").replace("\r", " ")
    return f'{json.dumps(document, ensure_ascii=False)[:-1]}, "data": {data}}}'


def to_document(message: CloudEvent) -> dict[str, Any]:
    """A message of gRPC as an event in its JSON format."""
    found: dict[str, Any] = json.loads(to_text(message))
    return found


def to_answer(result: ChunkResult) -> ChunkAnswer:
    """What became of a chunk."""
    return ChunkAnswer(
        result.number,
        sum(len(each.events) for each in result.stored),
        sum(len(each.events) for each in result.stored if each.duplicate),
        {each.event: Problem.of(json.loads(each.problem.document)) for each in result.refused},
        {
            place: (each.shard, each.first_sequence + number)
            for each in result.stored
            for number, place in enumerate(each.events)
        },
    )


def _is_json(media_type: str) -> bool:
    essence = media_type.partition(";")[0].strip().lower()
    return essence == _JSON or essence.endswith("+json") or essence == "text/json"

"""Events in the protobuf format of CloudEvents, and events of the bus."""

from base64 import b64encode
from hashlib import sha256

from gateway.base.errors import Malformed, Refused, TooLarge
from gateway.base.event import AttributeValue, Event
from gateway.delivery import GatewayAttributes
from gateway.grpc.wire.cloudevents_pb2 import CloudEvent
from gateway.publishing import event_of_parts

_FIELDS = {"specversion": "spec_version", "id": "id", "source": "source", "type": "type"}
_SET = ("sequence", "recordedtime", "publisher", "dataclassification")
_Value = CloudEvent.CloudEventAttributeValue


def read_event(message: CloudEvent, limit: int, *, is_reply: bool = False) -> Event | Refused:
    """The event, of at most `limit` bytes, or why it is none."""
    try:
        if (size := message.ByteSize()) > limit:
            return TooLarge(f"The event has {size} bytes. The limit of one event is {limit}.")
        return event_of_parts(_attributes(message), _content(message), is_reply=is_reply)
    except Refused as error:
        return error


def write_event(event: Event, attributes: GatewayAttributes) -> CloudEvent:
    """The event as receivers get it, with the attributes that the gateway sets."""
    message = CloudEvent(spec_version="1.0", id=event.id, source=event.source, type=event.type)
    found: dict[str, AttributeValue] = dict(event.attributes)
    if event.subject is not None:
        found["subject"] = event.subject
    found |= {
        name: value for name, value in zip(_SET, attributes, strict=True) if value is not None
    }
    for name, value in found.items():
        if isinstance(value, str):
            message.attributes[name].ce_string = value
        elif isinstance(value, bool):
            message.attributes[name].ce_boolean = value
        else:
            message.attributes[name].ce_integer = value
    if event.data is not None:
        message.binary_data = event.data
    return message


def digest_of(message: CloudEvent) -> bytes:
    """SHA-256 of the bytes of a message, which identifies an event that is refused."""
    return sha256(message.SerializeToString(deterministic=True)).digest()


def _attributes(message: CloudEvent) -> dict[str, AttributeValue]:
    found: dict[str, AttributeValue] = {
        "specversion": message.spec_version,
        "id": message.id,
        "source": message.source,
        "type": message.type,
    }
    if not all(found.values()):
        # As in the JSON format, where an attribute that is not set is not there.
        found = {name: value for name, value in found.items() if value}
    for name, value in message.attributes.items():
        if name in _FIELDS:
            raise Malformed(
                f"The attribute {name} has a field of its own. Use `{_FIELDS[name]}`.",
                pointer=f"/{name}",
            )
        found[name] = _value(name, value)
    return found


def _value(name: str, value: _Value) -> AttributeValue:
    match value.WhichOneof("attr"):
        case "ce_string":
            return value.ce_string
        case "ce_integer":
            return value.ce_integer
        case "ce_boolean":
            return value.ce_boolean
        case "ce_timestamp":
            try:
                return value.ce_timestamp.ToJsonString()
            except ValueError:
                raise Malformed(
                    f"The attribute {name} is no time. Use the years 1 to 9999.",
                    pointer=f"/{name}",
                ) from None
        case "ce_uri":
            return value.ce_uri
        case "ce_uri_ref":
            return value.ce_uri_ref
        case "ce_bytes":
            return b64encode(value.ce_bytes).decode()
        case _:
            raise Malformed(
                f"The attribute {name} has no value. Set one, or leave it out.", pointer=f"/{name}"
            )


def _content(message: CloudEvent) -> bytes:
    match message.WhichOneof("data"):
        case "text_data":
            return message.text_data.encode()
        case "proto_data":
            raise Malformed(
                "A contract cannot judge a protobuf message. Send the data as `binary_data` or "
                "`text_data`.",
                pointer="/data",
            )
        case _:
            return message.binary_data

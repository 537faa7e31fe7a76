"""The event that every contestant is given: one e-KTP verification of about 450 bytes.

Each is unique, and valid under the contract of its type. Application numbers repeat only after
2.7 million events, so that the order per key is kept and seldom has to wait, as in real life.
"""

import json
import secrets
from collections.abc import Callable
from pathlib import Path

TYPE = "id.go.dukcapil.ktp.diverifikasi.v1"
ORGANISATION = "dukcapil"
EXCHANGE = "bench.events"  # where contestants other than the gateway publish
SCHEMAS = Path(__file__).resolve().parents[1] / "schemas"
SCHEMA = SCHEMAS / ORGANISATION / TYPE / "versions" / "1.json"

_EVENT = (
    b'{"specversion":"1.0","id":"%b-%08d","source":"/dukcapil/ktp","type":"' + TYPE.encode() + b'",'
    b'"subject":"%b","time":"2023-11-05T10:15:30Z","datacontenttype":"application/json",'
    b'"data":{"nomor_permohonan":"%b","nik":"3273011203900001","status":"REJECTED",'
    b'"alasan_penolakan":"DATA_TIDAK_COCOK","timestamp":"2023-11-05T10:15:30+07:00",'
    b'"officer_id":"petugas_123"}}'
)  # fmt: skip


def fresh_prefix() -> bytes:
    """A beginning of ids that no other run has."""
    return secrets.token_hex(8).encode()


def event(prefix: bytes, number: int) -> bytes:
    """One event in structured mode; `number` tells it from the others of its prefix."""
    days, serial = divmod(number, 9999)
    months, day = divmod(days, 28)
    application = b"KTP-327301-2023%02d%02d-%04d" % (1 + months % 10, 1 + day, 1 + serial)
    return _EVENT % (prefix, number, application, application)


def batch(prefix: bytes, first: int, count: int) -> bytes:
    """A JSON array of `count` events."""
    return b"[%b]" % b",".join([event(prefix, first + index) for index in range(count)])


def management_publish(routing_key: str) -> Callable[[bytes, int], bytes]:
    """The same event as RabbitMQ's management API wants it: text inside JSON."""

    def body(prefix: bytes, number: int) -> bytes:
        message = {
            "properties": {"delivery_mode": 2, "content_type": "application/cloudevents+json"},
            "routing_key": routing_key,
            "payload": event(prefix, number).decode(),
            "payload_encoding": "string",
        }
        return json.dumps(message).encode()

    return body

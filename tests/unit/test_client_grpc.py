"""What the client library makes of events and answers over gRPC."""

import json
from typing import Any

import pytest

from adapters.client.grpc_events import to_answer, to_message, to_text
from adapters.client.wire.bus_pb2 import ChunkResult
from adapters.client.wire.cloudevents_pb2 import CloudEvent as ReceivedEvent
from gateway.base.errors import ContractViolation, IdentifierReused, Refused, Violation
from gateway.base.event import Event
from gateway.base.times import rfc3339
from gateway.broker import message
from gateway.grpc.events import read_event, write_event
from gateway.grpc.results import result_of
from gateway.grpc.wire.cloudevents_pb2 import CloudEvent
from gateway.publishing import Receipt, parse_event
from tests.builders import a_document, an_entry

SET = ("00-0000000000000001", "2026-05-04T00:00:00Z", "uji", "public")
STRUCTURED = [(b"content-type", b"application/cloudevents+json")]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"data": {"nama": "SITI é", "n": [1, 2.5, None]}},
        {"data": None},
        {"data": "teks", "datacontenttype": "text/plain"},
        {"data": "teks", "datacontenttype": "application/json; charset=utf-8"},
        {"data": None, "data_base64": "AAH/", "datacontenttype": "application/octet-stream"},
        {"angka": 7, "benar": True, "salah": False, "time": "2026-05-04T10:02:01Z"},
    ],
)
def test_an_event_is_the_same_as_over_http(changes: dict[str, Any]) -> None:
    document = a_document(**changes)
    sent = to_message(document).SerializeToString()
    over_grpc = read_event(CloudEvent.FromString(sent), 1 << 20)
    content = json.dumps(document, ensure_ascii=False).encode()
    over_http = parse_event(STRUCTURED, content, limit=1 << 20)
    assert isinstance(over_grpc, Event)
    assert (over_grpc.attributes, over_grpc.data) == (over_http.attributes, over_http.data)
    assert over_grpc.digest == over_http.digest
    written = write_event(over_grpc, SET).SerializeToString()
    received = to_text(ReceivedEvent.FromString(written))
    assert "\n" not in received
    assert json.loads(received) == json.loads(message.body(over_http, *SET))


@pytest.mark.parametrize(
    ("changes", "says"), [({"id": None}, "no id"), ({"data": None, "data_base64": "?"}, "base64")]
)
def test_what_is_no_event(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        to_message(a_document(**changes))


def test_the_answer_of_a_chunk() -> None:
    recorded = an_entry().recorded

    def receipt(shard: int, sequence: int, duplicate: bool = False) -> Receipt:
        return Receipt("i", "/s", shard, sequence, recorded, b"d", duplicate)

    violation = Violation("/nik", "pattern", "the value does not match")
    results: list[Receipt | Refused] = [
        receipt(0, 10), receipt(1, 5), receipt(0, 11), IdentifierReused(), receipt(0, 3, True),
        receipt(0, 12), ContractViolation("t", 1, [violation], 1), receipt(1, 6),
    ]  # fmt: skip
    message = result_of(7, results)
    assert len(message.stored) == 4
    assert {rfc3339(each.recorded_time.ToDatetime(recorded.tzinfo)) for each in message.stored} == {
        rfc3339(recorded)
    }
    answer = to_answer(ChunkResult.FromString(message.SerializeToString()))
    assert (answer.number, answer.stored, answer.duplicates) == (7, 6, 1)
    assert answer.positions == {
        0: (0, 10), 1: (1, 5), 2: (0, 11), 4: (0, 3), 5: (0, 12), 7: (1, 6),
    }  # fmt: skip
    assert {place: each.code for place, each in answer.refused.items()} == {
        3: "identifier-reused",
        6: "contract-violation",
    }
    assert [each.pointer for each in answer.refused[6].violations] == ["/nik"]

"""`Publish`: one event, the same as over HTTP."""

import asyncio
import json
from typing import Any

import grpc
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import error_details_pb2  # type: ignore[import-untyped]  # it has no types
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest
from grpc_reflection.v1alpha.reflection_pb2_grpc import ServerReflectionStub

from adapters.client.wire.bus_pb2 import PublishResponse
from adapters.client.wire.cloudevents_pb2 import CloudEvent
from tests.builders import CITIZEN, FOREIGN, QUESTION, a_citizen, a_document
from tests.bus import Bus
from tests.grpc_calls import (
    SERVICE,
    Door,
    a_message,
    as_message,
    details_of,
    problem_of,
)

CODE = grpc.StatusCode


async def refused(door: Door, event: CloudEvent, **more: Any) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await door.publish(event, **more)
    return caught.value


async def test_an_event_is_stored_once_and_is_the_same_over_http(bus: Bus, door: Door) -> None:
    document = a_document(time="2026-05-04T10:02:01+07:00", data={"a": [1, "é"]})
    first = (await door.publish(as_message(document))).receipt
    assert (first.id, first.source, first.duplicate) == (document["id"], "/uji", False)
    again = (await door.publish(as_message(document))).receipt
    assert again.duplicate
    over_http = bus.actor("uji").publish(document).json()
    for each in (again, first):
        found = (each.shard, each.sequence, each.digest.hex())
        assert found == (over_http["shard"], over_http["sequence"], over_http["digest"])
    assert over_http["duplicate"]
    assert first.recorded_time.ToJsonString()[:19] == over_http["recordedtime"][:19]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"type": CITIZEN, "data": a_citizen(nik="1", nama=2)}, CODE.INVALID_ARGUMENT),
        ({"type": FOREIGN}, CODE.PERMISSION_DENIED),
        ({"source": "/lain"}, CODE.PERMISSION_DENIED),
        ({"type": QUESTION}, CODE.INVALID_ARGUMENT),
        ({"time": "yesterday"}, CODE.INVALID_ARGUMENT),
        ({"sequence": "0-1"}, CODE.INVALID_ARGUMENT),
        ({"id": None}, CODE.INVALID_ARGUMENT),
        ({"specversion": "0.3"}, CODE.INVALID_ARGUMENT),
    ],
)
async def test_a_refusal_is_the_problem_of_http(
    bus: Bus, door: Door, changes: dict[str, Any], code: grpc.StatusCode
) -> None:
    document = a_document(**changes)
    error = await refused(door, as_message(document))
    over_http = bus.actor("uji").publish(document).json()
    problem = problem_of(error)
    assert json.loads(problem.document) == over_http
    assert (error.code(), error.details()) == (code, over_http["detail"])
    assert (problem.type, problem.status) == (over_http["type"], over_http["status"])
    assert problem.pointer == over_http.get("pointer", "")
    rules = [(each.pointer, each.keyword, each.message) for each in problem.violations]
    assert rules == [tuple(each.values()) for each in over_http.get("violations", [])]
    status = details_of(error)
    info = error_details_pb2.ErrorInfo()
    assert status.details[1].Unpack(info)
    assert over_http["type"].endswith(f"/{info.reason}")
    if "violations" in over_http:
        bad = error_details_pb2.BadRequest()
        assert status.details[2].Unpack(bad)
        assert [each.field for each in bad.field_violations] == [each[0] for each in rules]


async def test_a_refusal_is_kept(bus: Bus, door: Door) -> None:
    event = a_message(type=CITIZEN, data={})
    await refused(door, event)
    statement = "SELECT reason, client FROM refusals WHERE id = $1"
    kept = await asyncio.to_thread(bus.query, statement, event.id)
    assert [tuple(row) for row in kept] == [("contract-violation", door.actor.id)]


async def test_another_event_with_the_same_id(door: Door) -> None:
    event = a_message()
    await door.publish(event)
    event.binary_data = b'{"n": 2}'
    assert (await refused(door, event)).code() is CODE.ALREADY_EXISTS


async def test_values_of_every_type(bus: Bus, door: Door) -> None:
    event = a_message()
    event.attributes["angka"].ce_integer = -7
    event.attributes["benar"].ce_boolean = True
    event.attributes["bita"].ce_bytes = b"\x00\xff"
    event.attributes["alamat"].ce_uri = "https://contoh.example/a"
    event.attributes["rujukan"].ce_uri_ref = "/a"
    event.attributes["time"].ce_timestamp.FromJsonString("2026-05-04T10:02:01.5+07:00")
    event.ClearField("data")
    event.text_data = '{"teks": true}'
    receipt = (await door.publish(event)).receipt
    where = f"/v1/events/{receipt.shard}/{receipt.sequence}"
    reader = bus.actor("uji", "publisher", "auditor")
    shown = json.loads(reader.get(where).raise_for_status().content)
    shown = shown.get("event", shown)
    assert shown["data"] == {"teks": True}
    expected = {
        "angka": -7, "benar": True, "bita": "AP8=", "alamat": "https://contoh.example/a",
        "rujukan": "/a", "time": "2026-05-04T03:02:01.500Z",
    }  # fmt: skip
    assert {name: shown[name] for name in expected} == expected


async def test_what_no_contract_can_judge_is_refused(door: Door) -> None:
    event = a_message()
    event.proto_data.CopyFrom(AnyMessage(type_url="a/b", value=b"1"))
    assert problem_of(await refused(door, event)).pointer == "/data"
    event = a_message()
    event.attributes["id"].ce_string = "another"
    assert problem_of(await refused(door, event)).pointer == "/id"
    event = a_message()
    event.attributes["kosong"].SetInParent()
    assert problem_of(await refused(door, event)).pointer == "/kosong"
    event = a_message()
    event.attributes["time"].ce_timestamp.seconds = 1 << 60
    assert problem_of(await refused(door, event)).pointer == "/time"


async def test_who_calls(bus: Bus, door: Door) -> None:
    for metadata in ([], [("authorization", "Bearer x")], [("authorization", "Basic dWppOng=")]):
        error = await refused(door, a_message(), metadata=metadata)
        assert error.code() is CODE.UNAUTHENTICATED
    twice = await refused(door, a_message(), metadata=[*door.metadata, *door.metadata])
    assert twice.code() is CODE.INVALID_ARGUMENT
    reader = Door(0, bus.actor("uji", "subscriber"), door.channel)
    assert (await refused(reader, a_message())).code() is CODE.PERMISSION_DENIED


async def test_what_is_no_message(door: Door) -> None:
    call: Any = door.channel.unary_unary(
        f"{SERVICE}/Publish", response_deserializer=PublishResponse.FromString
    )
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(b"\xff\xff", metadata=door.metadata)
    assert caught.value.code() is CODE.INVALID_ARGUMENT
    assert "no nusabus.bus.v1.PublishRequest" in problem_of(caught.value).detail
    large = a_message(data="x" * (1 << 20))
    assert problem_of(await refused(door, large)).type.endswith("/too-large")
    huge = a_message(data="x" * (5 << 20))
    assert (await refused(door, huge)).code() is CODE.RESOURCE_EXHAUSTED
    bomb = await refused(door, a_message(data="x" * (16 << 20)), compression=grpc.Compression.Gzip)
    assert bomb.code() is CODE.RESOURCE_EXHAUSTED
    assert (await door.publish(a_message())).receipt.sequence


async def test_health_and_reflection(door: Door) -> None:
    channel: Any = door.channel
    health: Any = HealthStub(channel)
    for service in ("", SERVICE.strip("/")):
        answer = await health.Check(HealthCheckRequest(service=service))
        assert answer.status == HealthCheckResponse.SERVING
    reflection: Any = ServerReflectionStub(channel)
    asked = iter([ServerReflectionRequest(list_services="")])
    async for reply in reflection.ServerReflectionInfo(asked):
        names = {each.name for each in reply.list_services_response.service}
        assert SERVICE.strip("/") in names

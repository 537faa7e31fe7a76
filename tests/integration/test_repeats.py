"""An event that is sent again in another spelling is the same event, and keeps its first bytes."""

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from gateway.base import event
from gateway.base.errors import IdentifierReused
from gateway.journal import repeats
from tests.builders import QUESTION, a_candidate, a_document, a_question, a_reply
from tests.bus import Bus, MakeBus
from tests.integration.journal_setup import Journal
from tests.problems import problem_of
from tests.pull_receiver import Puller
from tests.servers import forge

# Each line is one value; what stands in different lines is not the same.
SPELLINGS = (
    (
        b'{"a":1,"b":"x/\xc3\xa9"}',
        b' {"b" : "x\\/\\u00e9",\n"a":1.0 }',
        b'{"\\u0061":10e-1,"b":"x/\\u00E9"}',
    ),
    (b'{"a":9007199254740993}', b'{"a":9007199254740993.0}'),
    (b'{"a":9007199254740992}', b'{"a": 9.007199254740992e15}'),
    (b'{"a":"1"}', b'{"a":"\\u0031"}'),
    (b'{"a":1}', b'{"a":1e0}'),
    (b'{"a":true}', b'{"a":\ttrue}'),
    (b'{"a":[1,2]}', b'{"a":[1.0,2.0]}'),
    (b'{"a":[2,1]}', b'{"a":[2.0,1.0]}'),
    (b'{"a":{"b":null}}', b'{"a":{ "b":null}}'),
    (b'{"a":{}}', b'{"a":{ }}'),
)  # fmt: skip
ALL = tuple((line, each) for line, spellings in enumerate(SPELLINGS) for each in spellings)
LARGE = b'{"a":[' + b",".join([b'{"n":1.50,"t":"teks"}'] * 2000) + b"]}"


@pytest.mark.parametrize("first", [spellings[0] for spellings in SPELLINGS])
async def test_what_says_the_same_is_the_same_and_nothing_else(
    journal: Journal, first: bytes
) -> None:
    original = a_candidate(id="x", data=first)
    async with journal.writer() as writer:
        await writer.append([original])
        (line,) = (line for line, each in ALL if each == first)
        results = await writer.append([a_candidate(id="x", data=each) for _, each in ALL])
    assert [each.same for each in results] == [line == other for other, _ in ALL]
    assert all(each.duplicate and each.digest == original.event.digest for each in results)
    entry = await journal.reader.find(original.event.identity)
    assert entry is not None
    assert entry.event.data == first, "the bytes stay as they came"
    assert await journal.require_gapless() == 1


@pytest.mark.parametrize(
    "change",
    [
        {"subject": "s2"},
        {"type": "id.go.uji.lain.dicatat.v1"},
        {"attributes": {"datacontenttype": "application/json; charset=utf-8"}},
        {"attributes": {"datacontenttype": "application/json", "time": "2026-01-01T00:00:00Z"}},
        {"binary": True},
        {"data": None},
    ],
)
async def test_attributes_are_compared_exactly(journal: Journal, change: dict[str, Any]) -> None:
    async with journal.writer() as writer:
        await writer.append([a_candidate(id="x", data=b'{"n":1}')])
        (other,) = await writer.append([a_candidate(id="x", **{"data": b'{"n": 1}', **change})])
    assert (other.duplicate, other.same) == (True, False)


async def test_the_trace_of_a_repeat_is_of_no_concern(journal: Journal) -> None:
    async with journal.writer() as writer:
        await writer.append([a_candidate(id="x", data=b'{"n":1}')])
        traced = {"datacontenttype": "application/json", "traceparent": "00-1-1-00"}
        (other,) = await writer.append([a_candidate(id="x", data=b'{"n": 1}', attributes=traced)])
    assert other.same


@pytest.mark.parametrize("atomic", [False, True])
async def test_two_spellings_in_one_batch(journal: Journal, atomic: bool) -> None:
    batch = [
        a_candidate(id="x", data=b'{"n":1}'),
        a_candidate(id="y", data=b'{"n":1}'),
        a_candidate(id="x", data=b'{"n":1.0}'),
        a_candidate(id="x", data=b'{ "n":1}'),
    ]
    async with journal.writer() as writer:
        for repeated in (False, True):
            results = await writer.append(batch, atomic=atomic)
            assert [each.duplicate for each in results] == [repeated, repeated, True, True]
            assert all(each.same for each in results)
            assert {results[n].digest for n in (0, 2, 3)} == {batch[0].event.digest}
    assert await journal.require_gapless() == 2


async def test_an_atomic_batch_with_one_other_content_stores_nothing(journal: Journal) -> None:
    async with journal.writer() as writer:
        await writer.append([a_candidate(id="x", data=b'{"n":1}')])
        same, other = (a_candidate(id="x", data=each) for each in (b'{"n":1.0}', b'{"n":2}'))
        for batch in ([same, other], [other, same], [same, a_candidate(id="z", data=b'{"n":1}'),
                       a_candidate(id="z", data=b'{"n":2}')]):  # fmt: skip
            with pytest.raises(IdentifierReused):
                await writer.append([a_candidate(), *batch, a_candidate()], atomic=True)
        await writer.append([a_candidate(), same], atomic=True)
    assert await journal.require_gapless() == 2


@pytest.mark.parametrize("atomic", [False, True])
async def test_nothing_is_locked_while_events_are_compared(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, atomic: bool
) -> None:
    comparing, go_on = asyncio.Event(), asyncio.Event()
    same_event = event.same_event

    async def slow(*given: Any) -> bool:
        comparing.set()
        await go_on.wait()
        return await same_event(*given)

    monkeypatch.setattr(repeats, "same_event", slow)
    async with journal.writer() as one, journal.writer() as other:
        await one.append([a_candidate(id="x", data=LARGE)])
        repeat = a_candidate(id="x", data=LARGE + b" ")
        compared = asyncio.create_task(one.append([a_candidate(), repeat], atomic=atomic))
        await comparing.wait()
        for writer in (one, other):  # every shard
            await writer.append([a_candidate(id=str(n), subject=None) for n in range(20)])
        go_on.set()
        assert [each.same for each in await compared] == [True, True]
    assert await journal.require_gapless() == 2 + 20


async def test_writers_that_race_with_two_spellings_store_one(journal: Journal) -> None:
    async def round_(number: int, writers: tuple[Any, ...]) -> None:
        spelled = SPELLINGS[0]
        rivals = [a_candidate(id=f"r{number}", data=spelled[n % 3]) for n in range(6)]
        answers = await asyncio.gather(
            *(writers[n % 3].append([rival], atomic=n % 2 == 0) for n, rival in enumerate(rivals))
        )
        results = [appended for (appended,) in answers]
        assert sum(not each.duplicate for each in results) == 1
        assert all(each.same for each in results)
        assert len({each.digest for each in results}) == 1

    async with journal.writer() as one, journal.writer() as two, journal.writer() as three:
        for number in range(20):
            await round_(number, (one, two, three))
    assert await journal.require_gapless() == 20


async def test_what_was_taken_out_of_the_journal_is_not_guessed(journal: Journal) -> None:
    original = a_candidate(id="x", data=b'{"n":1}')
    async with journal.writer() as writer:
        await writer.append([original])
        await asyncio.to_thread(forge, journal.url, "DELETE FROM journal_rows")
        (known,) = await writer.append([original])
        (other,) = await writer.append([a_candidate(id="x", data=b'{"n": 1}')])
    assert (known.same, other.same) == (True, False)


# On real servers: two api processes on one port.


@pytest.fixture(scope="module")
def racing(make_bus: MakeBus) -> Iterator[Bus]:
    with make_bus() as bus:
        yield bus.run("api", "api", "relay")


def written(document: dict[str, Any], number: int) -> bytes:
    """A structured event in one of many spellings of it and of its data."""
    data = (
        '{"n":1,"t":"a/b"}', '{"t": "a\\/b", "n": 1.0}', '{"n":10e-1,"\\u0074":"\\u0061/b"}'
    )[number % 3]  # fmt: skip
    head = list(document.items())
    members = [f"{json.dumps(name)}:{json.dumps(value)}" for name, value in head]
    members.insert(number % (len(members) + 1), f'"data" : {data}')
    return ("{" + f"{' ' * number},".join(members) + "}").encode()


def test_processes_that_race_with_spellings_store_one(racing: Bus) -> None:
    uji = racing.actor("uji")
    uji.headers  # noqa: B018 - one token for all threads
    with ThreadPoolExecutor(6) as pool:
        for _ in range(10):
            document = a_document()
            del document["data"]
            texts = [written(document, number) for number in range(6)]
            answers = list(pool.map(uji.publish, texts))
            assert {each.status_code for each in answers} == {202}, [a.text for a in answers]
            receipts = [each.json() for each in answers]
            assert sum(not each["duplicate"] for each in receipts) == 1
            assert len({(each["digest"], each["sequence"]) for each in receipts}) == 1
            path = f"/v1/events/{receipts[0]['shard']}/{receipts[0]['sequence']}"
            first = next(n for n, each in enumerate(receipts) if not each["duplicate"])
            data = texts[first].split(b'"data" : ')[1]
            assert data[:17] in uji.get(path).content
    other = written(document, 0).replace(b'"n":1', b'"n":2')
    assert uji.publish(other).status_code == 409


def test_every_mode_and_spelling_is_one_event(racing: Bus) -> None:
    uji, document = racing.actor("uji"), a_document(data={"n": 1, "t": "é"})
    assert uji.publish(document).json()["duplicate"] is False
    headers = {
        f"ce-{name}": value
        for name, value in document.items()
        if name not in ("data", "datacontenttype")
    }
    headers["content-type"] = document.get("datacontenttype", "application/json")
    content = b'{ "t":"\\u00e9",\r\n "n":1.00}'
    answer = uji.post("/v1/events", content=content, headers=headers)
    assert (answer.status_code, answer.json()["duplicate"]) == (202, True)
    batch = b"[" + json.dumps(document).replace("1,", "1e0,").encode() + b"]"
    for atomic in (False, True):
        result = uji.publish_batch(batch, atomic=atomic).json()["results"][0]
        assert (result["status"], result["receipt"]["duplicate"]) == (202, True)


def spaced(document: dict[str, Any], **data: Any) -> bytes:
    """The same, written as nobody else would."""
    return json.dumps(document | {"data": data or document["data"]}, indent=3).encode()


def test_a_request_and_its_reply_may_be_written_anew(racing: Bus) -> None:
    racing.grant("lain", "publish", QUESTION)
    uji, lain = racing.actor("uji"), racing.actor("lain")
    responder = Puller(uji, QUESTION)
    question = a_question(QUESTION, source="/lain")
    first, again = lain.ask(question), lain.ask(spaced(question))
    assert (first.status_code, again.status_code) == (202, 202), again.text
    assert first.json()["id"] == again.json()["id"]
    problem_of(lain.ask(question | {"data": {"nik": "0", "x": 1}}), 409, "identifier-reused")
    (taken,) = responder.receive(1)
    assert responder.receive(1, wait=0.2) == []
    reply = a_reply(taken["event"])
    sent = [uji.answer(first.json()["id"], each) for each in (reply, spaced(reply))]
    assert [each.status_code for each in sent] == [201, 200], [each.text for each in sent]
    assert sent[0].json()["reply"] == sent[1].json()["reply"]
    other = spaced(reply, hasil="LAIN")
    problem_of(uji.answer(first.json()["id"], other), 409, "already-answered")

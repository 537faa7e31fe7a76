"""Valid values by default; a test names only what it is about."""

import itertools
import json
import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from gateway.base.event import Event
from gateway.broker import OutgoingMessage
from gateway.contracts import Classification, Contract, Pattern, Submission
from gateway.contracts.schema_limits import DIALECT
from gateway.contracts.values import InvalidExample, Ordering, Version
from gateway.journal import Candidate, Entry
from gateway.subscriptions import Subscription, SubscriptionState

FREE = "id.go.uji.bebas.dicatat.v1"  # publish-subscribe, public, any object
CITIZEN = "id.go.uji.warga.dicatat.v1"  # publish-subscribe, confidential, a strict schema
QUESTION = "id.go.uji.tanya.diajukan.v1"  # request-reply
FOREIGN = "id.go.lain.bebas.dicatat.v1"  # publish-subscribe, of another organisation
NIK = "3273014105900001"

_numbers = itertools.count(1)


def task_type(word: str) -> str:
    """One of the point-to-point types that `write_contracts` makes."""
    return f"id.go.uji.tugas.{word}.v1"


def question_type(word: str) -> str:
    """One of the request-reply types that `write_contracts` makes; see `a_question`."""
    return f"id.go.uji.tanya.{word}.v1"


QUESTIONS = tuple(
    question_type(word)
    for word in ("amqp", "pull", "salah", "sepi", "hak", "henti", "sumber", "asal")
)

TASKS = tuple(task_type(word) for word in ("satu", "dua", "tiga", "empat", "lima"))


def an_id() -> str:
    """An id that no other event of any run has."""
    return f"{next(_numbers)}-{uuid.uuid4().hex}"


def a_name() -> str:
    """A subscription's name that no other test uses."""
    return f"s{uuid.uuid4().hex[:12]}"


def an_event(**changes: Any) -> Event:
    """An event of any object."""
    event = Event(an_id(), "/uji", FREE, "s1", {"datacontenttype": "application/json"}, b'{"n":1}')
    return msgspec.structs.replace(event, **changes)


def a_candidate(**changes: Any) -> Candidate:
    """An event that was judged valid; the changes are those of the event."""
    return Candidate(an_event(**changes), "uji-client", "uji", 1)


def an_entry(sequence: int = 1, *, publisher: str = "uji", **changes: Any) -> Entry:
    """An entry of shard 0; the changes are those of the event."""
    event = an_event(**changes)
    recorded = datetime(2026, 5, 4, tzinfo=UTC)
    return Entry(0, sequence, recorded, event, f"{publisher}-client", publisher, 1)


def a_document(**changes: Any) -> dict[str, Any]:
    """An event as structured JSON, as a publisher writes it. None leaves a member out."""
    document = {
        "specversion": "1.0",
        "id": an_id(),
        "source": "/uji",
        "type": FREE,
        "subject": "s1",
        "data": {"n": 1},
        **changes,
    }
    return {name: value for name, value in document.items() if value is not None}


def a_subscription(**changes: Any) -> Subscription:
    """An active subscription to every type of one organisation."""
    subscription = Subscription(
        organisation="lain",
        name="semua",
        types=("id.go.uji.*",),
        point_to_point=False,
        ordered=False,
        start="now",
        state=SubscriptionState.ACTIVE,
        generation=1,
        password_hash="",
        created=datetime(2026, 5, 4, tzinfo=UTC),
        created_by="lain-client",
    )
    return replace(subscription, **changes)


def a_contract(**changes: Any) -> Contract:
    """A public publish-subscribe contract."""
    contract = Contract(
        FREE,
        "uji",
        "Uji",
        "For tests.",
        Pattern.PUBLISH_SUBSCRIBE,
        Classification.PUBLIC,
        Ordering("subject", "What the event is about."),
    )
    return replace(contract, **changes)


def a_schema(**changes: Any) -> bytes:
    """The text of a schema that takes any object."""
    return json.dumps({"$schema": DIALECT, "type": "object", **changes}).encode()


def a_submission(**changes: Any) -> Submission:
    """A contract that is admitted."""
    invalid = InvalidExample("array", "no object", "type", "", [])
    submission = Submission(
        a_contract(), (Version(1, a_schema()),), {"empty": {}}, (invalid,), {}, ()
    )
    return replace(submission, **changes)


def an_outgoing_message(token: object, **changes: Any) -> OutgoingMessage:
    """A message of a few bytes."""
    return OutgoingMessage("bus.events", FREE, True, (), b"{}", an_id(), {}, token)._replace(
        **changes
    )


def write_contract(folder: Path, type: str = FREE, **files: Any) -> Path:
    """A contract's folder; the keywords change its files, by path without `.json`, None removes."""
    owner = type.split(".")[2]
    contents: dict[str, Any] = {
        "contract": {
            "type": type,
            "owner": owner,
            "title": "Uji",
            "description": "For tests.",
            "pattern": "publish-subscribe",
            "classification": "public",
            "ordering": {"key": "subject", "description": "What the event is about."},
        },
        "versions/1": {"$schema": DIALECT, "type": "object"},
        "examples/valid/empty": {},
        "examples/invalid/array": {
            "reason": "no object", "keyword": "type", "pointer": "", "data": [],
        },
    }  # fmt: skip
    for name, content in files.items():
        merge = name == "contract" and isinstance(content, Mapping)
        contents[name] = {**contents[name], **content} if merge else content
    _write(folder / owner / "organisation", {"name": owner, "title": owner, "description": ""})
    for name, content in contents.items():
        if content is not None:
            _write(folder / owner / type / name, content)
    return folder / owner / type


def _write(place: Path, content: Any) -> None:
    file = place.with_name(f"{place.name}.json")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content if isinstance(content, str) else json.dumps(content))


def a_citizen(**changes: Any) -> dict[str, Any]:
    """Data of CITIZEN."""
    return {"nik": NIK, "nama": "SITI", "nomor": [1], **changes}


def write_contracts(folder: Path) -> None:
    """The contracts that the tests of whole processes use."""
    write_contract(folder)
    write_contract(folder, FOREIGN, contract={"classification": "confidential"})
    write_contract(
        folder,
        CITIZEN,
        contract={"classification": "confidential"},
        **{
            "versions/1": {
                "$schema": DIALECT,
                "type": "object",
                "required": ["nik", "nama"],
                "additionalProperties": False,
                "properties": {
                    "nik": {"type": "string", "pattern": "^[0-9]{16}$", "x-pii": "nik"},
                    "nama": {"type": "string", "maxLength": 60, "x-pii": "nama"},
                    "nomor": {"type": "array", "items": {"type": "integer"}},
                },
            },
            "examples/valid/empty": a_citizen(),
        },
    )
    for type in TASKS:
        write_contract(folder, type, contract={"pattern": "point-to-point"})
    write_contract(
        folder,
        QUESTION,
        contract={"pattern": "request-reply"},
        **{
            "versions/1.reply": {"$schema": DIALECT, "type": "object"},
            "examples/reply/valid/empty": {},
            "examples/reply/invalid/array": {
                "reason": "no object", "keyword": "type", "pointer": "", "data": [],
            },
        },
    )  # fmt: skip
    _write_questions(folder)


def _write_questions(folder: Path) -> None:
    for type in QUESTIONS:
        write_contract(
            folder,
            type,
            contract={"pattern": "request-reply", "classification": "confidential"},
            **{
                "versions/1": {"$schema": DIALECT, "type": "object", "required": ["nik"]},
                "versions/1.reply": {"$schema": DIALECT, "type": "object", "required": ["hasil"]},
                "examples/valid/empty": {"nik": NIK},
                "examples/reply/valid/found": {"hasil": "COCOK"},
                "examples/reply/invalid/array": {
                    "reason": "no object", "keyword": "type", "pointer": "", "data": [],
                },
            },
        )  # fmt: skip


def a_question(type: str, **changes: Any) -> dict[str, Any]:
    """A request of one of the QUESTIONS by the organisation "lain", as structured JSON."""
    request = {"type": type, "source": "/lain", "subject": None, "data": {"nik": NIK}}
    return a_document(**{**request, **changes})


def a_reply(question: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """The reply to a request of one of the QUESTIONS."""
    reply = {
        "type": f"{question['type']}.reply",
        "source": "/uji/penjawab",
        "subject": None,
        "data": {"hasil": "COCOK"},
    }
    return a_document(**{**reply, **changes})

"""What one client does to all others with valid requests."""

import asyncio
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import httpx

from gateway.base.event import Event
from tests.faults.actors import GEMPA, LKPP, Actors
from tests.faults.children import carry_out
from tests.faults.cluster import Cluster
from tests.faults.events import JSON, SCHEMAS, new_event
from tests.faults.fault import Choices, NoEvidence
from tests.faults.run_log import Answer
from tests.faults.topology_faults import publish

BRANCHES = 60  # three seconds for each MiB
ELEMENTS = 220_000
INVALID = {"data": ["x"], "reason": "A text is no number.", "keyword": "type", "pointer": "/0"}
ALLOWED = "60"  # seconds that an event may take where the contract is registered
TOGETHER = 3
NOT_YET = {httpx.codes.FORBIDDEN, httpx.codes.TOO_MANY_REQUESTS}


async def publish_expensive(cluster: Cluster, actors: Actors, choices: Choices) -> str:
    """Valid events that take three seconds to validate, several at once. Others are served.

    Their contract is registered where that is allowed; the api processes allow half a second.
    """
    type = f"id.go.lkpp.uji.mahal-{choices.random.randrange(1 << 30)}.v1"
    with TemporaryDirectory() as folder:
        _write_contract(Path(folder), type)
        own = {**cluster.environment, "NUSABUS_VALIDATION_SECONDS": ALLOWED}
        await carry_out("contracts", folder, folder=Path(folder), own=own)
    attack = asyncio.gather(*(_refused(cluster, _expensive(type)) for _ in range(TOGETHER)))
    accepted = 0
    while not attack.done():
        await publish(cluster, new_event(GEMPA, "/bmkg/uji", str(uuid4()), uuid4(), None))
        accepted += 1
    statuses: Sequence[int] = await attack
    if set(statuses) != {422}:
        raise NoEvidence(
            f"events without limit on the loop: they were answered {statuses}, while {accepted} of "
            "another organisation were accepted"
        )
    if not accepted:
        raise NoEvidence("nothing of another organisation was accepted meanwhile")
    return f"{TOGETHER} expensive events were refused, {accepted} others were accepted meanwhile"


def _expensive(type: str) -> Event:
    data = b"[" + b",".join([b"1.5"] * ELEMENTS) + b"]"
    return Event(str(uuid4()), "/lkpp/uji", type, "mahal", {"datacontenttype": JSON}, data)


async def _refused(cluster: Cluster, event: Event) -> int:
    """Publish until there is an answer that is final. Its contract may not be known yet."""
    client = cluster.client(event.type.split(".")[2])
    while True:
        reply = await client.send_structured(event, patience=60.0)
        if reply.answer is not Answer.UNKNOWN and reply.status not in NOT_YET:
            return reply.status


def _write_contract(folder: Path, type: str) -> None:
    """A contract like another one, whose schema is expensive."""
    like, made = SCHEMAS / "lkpp" / LKPP[0], folder / "lkpp" / type
    shutil.copytree(like, made)
    shutil.copy(SCHEMAS / "lkpp" / "organisation.json", folder / "lkpp")
    file = made / "contract.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "type": type}))
    branches = [{"multipleOf": 7 + n, "minimum": 10**9 + n} for n in range(BRANCHES)]
    for schema in (made / "versions").glob("*.json"):
        old = json.loads(schema.read_text().replace(LKPP[0], type))
        kept = {name: old[name] for name in old.keys() & {"$schema", "$id", "title", "description"}}
        items = {"type": "number", "anyOf": [*branches, {"type": "number"}]}
        schema.write_text(json.dumps({**kept, "type": "array", "items": items}))
    shutil.rmtree(made / "examples")
    for name, example in (("valid/baik", [1]), ("invalid/buruk", INVALID)):
        target = made / "examples" / f"{name}.json"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(example))

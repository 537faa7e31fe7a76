"""The second baseline: what a careful team builds, so that nothing accepted is lost.

FastAPI with a pydantic body, `jsonschema` on the data, and an outbox in PostgreSQL: 202 means that
the event and its place in the outbox are committed in one transaction. A repeat is stored once.
`bench.careful_relay` publishes the outbox. It has no authentication, and keeps no order.
"""

import json
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
from fastapi import FastAPI, HTTPException
from jsonschema import Draft202012Validator

from bench.handrolled import Event

TABLES = (
    """
    CREATE TABLE careful_events (
        source text NOT NULL, id text NOT NULL, type text NOT NULL, body bytea NOT NULL,
        recorded timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (source, id)
    )
    """,
    """
    CREATE TABLE careful_outbox (
        number bigserial PRIMARY KEY, source text NOT NULL, id text NOT NULL, type text NOT NULL,
        body bytea NOT NULL
    )
    """,
)
STORE = """
WITH stored AS (
    INSERT INTO careful_events (source, id, type, body)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[])
    ON CONFLICT DO NOTHING RETURNING source, id, type, body
)
INSERT INTO careful_outbox (source, id, type, body) SELECT * FROM stored
"""
CONNECTIONS = 10  # of each process


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Hold the validator and a pool of connections."""
    app.state.validator = Draft202012Validator(_schema())
    async with asyncpg.create_pool(
        os.environ["BENCH_DATABASE_URL"], min_size=CONNECTIONS, max_size=CONNECTIONS
    ) as pool:
        app.state.pool = pool
        yield


app = FastAPI(lifespan=lifespan)


def _schema() -> Any:
    return json.loads(Path(os.environ["BENCH_SCHEMA"]).read_text())


@app.post("/events", status_code=202)
async def publish(event: Event) -> dict[str, str]:
    """Check and store one event."""
    await _store([event])
    return {"id": event.id}


@app.post("/events/batch", status_code=202)
async def publish_batch(events: list[Event]) -> dict[str, int]:
    """Check and store all events, or none."""
    await _store(events)
    return {"accepted": len(events)}


async def _store(events: Sequence[Event]) -> None:
    """Return once the events are committed."""
    if not all(app.state.validator.is_valid(each.data) for each in events):
        raise HTTPException(422)
    await app.state.pool.execute(
        STORE,
        [each.source for each in events],
        [each.id for each in events],
        [each.type for each in events],
        [each.model_dump_json().encode() for each in events],
    )

"""The baseline: what a team writes by hand, without a gateway and without a store.

FastAPI with a pydantic body, `jsonschema` on the data, aio-pika with publisher confirms: 202 means
that RabbitMQ has confirmed. Run by uvicorn (uvloop, httptools) with one or several workers. It does
not authenticate, does not find repeats, and keeps nothing that the broker would lose.
"""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import aio_pika
from fastapi import FastAPI, HTTPException
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from bench.events import EXCHANGE


class Event(BaseModel):
    """A CloudEvent in structured mode."""

    specversion: Literal["1.0"]
    id: str
    source: str
    type: str
    subject: str | None = None
    time: datetime | None = None
    datacontenttype: str | None = None
    data: dict[str, Any]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Hold one connection and one confirming channel."""
    app.state.validator = Draft202012Validator(_schema())
    connection = await aio_pika.connect_robust(os.environ["BENCH_AMQP_URL"])
    async with connection:
        channel = await connection.channel(publisher_confirms=True)
        app.state.exchange = await channel.get_exchange(EXCHANGE)
        yield


app = FastAPI(lifespan=lifespan)


def _schema() -> Any:
    return json.loads(Path(os.environ["BENCH_SCHEMA"]).read_text())


@app.post("/events", status_code=202)
async def publish(event: Event) -> dict[str, str]:
    """Check, send, wait for the confirm."""
    if not app.state.validator.is_valid(event.data):
        raise HTTPException(422)
    message = aio_pika.Message(
        event.model_dump_json().encode(),
        content_type="application/cloudevents+json",
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        message_id=event.id,
    )
    await app.state.exchange.publish(message, event.type)
    return {"id": event.id}

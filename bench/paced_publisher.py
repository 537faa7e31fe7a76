"""A publisher at a fixed rate, in a process of its own (see `bench.paced`)."""

import asyncio
import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

import uvloop

from bench.events import event, fresh_prefix
from bench.paced import Pace, carry_out, quantiles

CONNECTIONS = 32


def _publish(prefix: bytes, port: int, token: str) -> Callable[[int], bytes]:
    head = (
        f"POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n"
        "Content-Type: application/cloudevents+json\r\nContent-Length: "
    ).encode()

    def request(number: int) -> bytes:
        content = event(prefix, number)
        return b"%b%d\r\n\r\n%b" % (head, len(content), content)

    return request


async def publish(question: Mapping[str, Any]) -> dict[str, Any]:
    """Publish; when each event was due follows from `began` and its number, which ends its id."""
    prefix, port, rate = fresh_prefix(), question["port"], question["rate"]
    pace = Pace(port, CONNECTIONS, rate, question["seconds"], 202)
    began, answers = await carry_out(pace, _publish(prefix, port, question["token"]))
    return {
        "prefix": prefix.decode(),
        "began": began,
        "events": len(answers),
        "accepted": quantiles([each.got - each.due for each in answers]),
    }


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        json.dump(runner.run(publish(json.load(sys.stdin))), sys.stdout)

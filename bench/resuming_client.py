"""A publisher over gRPC in a process of its own, by the client library. It goes on by itself.

Any refusal ends it with a failure.
"""

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

from adapters.client import CallRetryPolicy
from adapters.client.grpc_publishing import StreamPublisher
from bench.answer import answer as answer_to
from bench.events import event, fresh_prefix

PATIENT = CallRetryPolicy(attempts=100, first_delay=0.2, longest_delay=1.0)


async def _carry_out(question: Mapping[str, Any]) -> dict[str, Any]:
    prefix, size, calls = fresh_prefix(), question["chunk"], 0

    def chunks(after: int) -> Iterator[list[dict[str, Any]]]:
        nonlocal calls
        calls += 1
        for first in range(after * size, question["events"], size):
            yield [json.loads(event(prefix, first + index)) for index in range(size)]

    async def access_token() -> str:
        token: str = question["token"]
        return token

    publisher = StreamPublisher(question["address"], access_token, tls=False, retry=PATIENT)
    answered = duplicates = 0
    began = time.monotonic()
    async for answer in publisher.publish(chunks):
        if answer.refused:
            raise SystemExit(f"a chunk was refused: {dict(answer.refused)}")
        answered += 1
        duplicates += answer.duplicates
    return {
        "calls": calls,
        "answered": answered,
        "duplicates": duplicates,
        "began": began,
        "ended": time.monotonic(),
    }


def main() -> None:
    """Read what to send as JSON from standard input, write the outcome to standard output."""
    answer_to(_carry_out)


if __name__ == "__main__":
    main()

"""How fast questions about compatibility are answered: on our contracts, in one worker.

Needs no server: `python -m bench.compatibility`, or the part `compatibility` of the bench.
"""

import asyncio
import json
import time
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from bench.failure import BenchFailure
from bench.results import Results, Value
from bench.say import console, say
from gateway.contracts.compatibility import (
    CompatibilityChecker,
    CompatibilityDirection,
    CompatibilityPolicy,
    Compatible,
)

CONTRACTS = Path(__file__).parent.parent / "schemas"
ROUNDS = 5


async def check(results: Results, rounds: int = ROUNDS) -> None:
    """Compare one compatible and one breaking change of every contract, again and again."""
    questions = [
        each for file in sorted(CONTRACTS.glob("*/*/versions/*.json")) for each in _of(file)
    ]
    say(f"comparing schemas: {len(questions)} questions, {rounds} rounds")
    compatibility = CompatibilityChecker()
    try:
        started = time.perf_counter()
        await compatibility.compare({}, {}, CompatibilityDirection.BACKWARD)
        start = time.perf_counter() - started
        times = [await _timed(compatibility, *each) for _ in range(rounds) for each in questions]
    finally:
        await compatibility.close()
    results.values += list(_values(times, start))


def _of(file: Path) -> list[tuple[bytes, bytes, bool]]:
    """A contract as it is, changed, and whether nothing may be lost."""
    text = file.read_bytes()
    wider, narrower = json.loads(text), json.loads(text)
    wider["properties"]["tambahan"] = {"type": "string", "maxLength": 200}
    narrower["properties"]["tambahan"] = {"type": "string"}
    narrower["required"].append("tambahan")
    return [(text, _json(wider), True), (text, _json(narrower), False)]


def _json(schema: Any) -> bytes:
    return json.dumps(schema).encode()


async def _timed(
    compatibility: CompatibilityChecker, old: bytes, new: bytes, good: bool
) -> tuple[bool, float]:
    started = time.perf_counter()
    result = await compatibility.compare(
        old, new, CompatibilityDirection.BACKWARD, CompatibilityPolicy.STRICT
    )
    if isinstance(result, Compatible) is not good:
        raise BenchFailure(f"a wrong answer about compatibility: {result}")
    return good, time.perf_counter() - started


def _values(times: list[tuple[bool, float]], start: float) -> list[Value]:
    whole = [seconds for _, seconds in times]
    detail = (
        f"{len(times)} questions on the contracts under schemas/, one worker, one after another"
    )
    found = [
        Value("compatibility_rate", len(whole) / sum(whole), "questions/s", detail),
        Value("compatibility_p99", 1e3 * quantiles(whole, n=100)[98], "ms", detail),
        Value("compatibility_start", 1e3 * start, "ms", "the first question starts the worker"),
    ]
    for good, name in ((True, "compatible"), (False, "incompatible")):
        of_kind = [seconds for kind, seconds in times if kind is good]
        found.append(Value(f"compatibility_{name}", 1e3 * median(of_kind), "ms", f"median, {name}"))
    return found


def main() -> None:
    """Measure and show, by itself."""
    results = Results()
    asyncio.run(check(results))
    results.show(console)


if __name__ == "__main__":
    main()

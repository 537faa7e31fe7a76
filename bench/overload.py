"""Four times what a process takes from one organisation, and a neighbour that sends little.

In turns, in the same run: the neighbour alone, beside processes that only use the processors, and
beside the flood. The flood waits for no Retry-After, and has so many connections that it seldom
waits for one. Its client, PostgreSQL and RabbitMQ share the processors with the gateway here, so
what the neighbour notices of mere work on the machine is measured as well.
"""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

import httpx

from bench.children import answer_of, fire
from bench.events import SCHEMAS, TYPE
from bench.failure import BenchFailure
from bench.results import Results, Value, by_round
from bench.say import say
from bench.scale import Scale
from bench.servers import Servers
from bench.site import Site
from bench.subscriber import client_of
from deploy.local.ports import LOOPBACK

TIMES = 4
BATCH = 100  # events in a request of the flood: so the client costs little beside the gateway
CONNECTIONS = 400  # of the flood: more requests than it sends within 0.1 s
OWN = {"NUSABUS_CONNECTIONS_PER_ADDRESS": "4096"}  # all come from one address here
NEIGHBOUR = "bmkg"
QUIET = 100.0  # events a second
FLOOD = (
    '{"specversion":"1.0","id":"%(id)s","source":"/dukcapil/ktp","type":"' + TYPE + '",'
    '"subject":"%(id)s","time":"2023-11-05T10:15:30Z","datacontenttype":"application/json",'
    '"data":{"nomor_permohonan":"KTP-327301-20231105-0001","nik":"3273011203900001",'
    '"status":"REJECTED","alasan_penolakan":"DATA_TIDAK_COCOK",'
    '"timestamp":"2023-11-05T10:15:30+07:00","officer_id":"petugas_123"}}'
)
SEED = SCHEMAS / NEIGHBOUR / "id.go.bmkg.gempa.terdeteksi.v1" / "examples" / "valid" / "seed.json"
OTHER = (
    '{"specversion":"1.0","id":"%(id)s","source":"/bmkg/bench",'
    '"type":"id.go.bmkg.gempa.terdeteksi.v1","datacontenttype":"application/json","data":DATA}'
).replace("DATA", SEED.read_text())


async def overload(servers: Servers, scale: Scale, results: Results) -> None:
    """Measure the part `overload`."""
    await servers.clone("overload")
    alone, busy, beside, floods, probes = [], [], [], [], list[float]()
    try:
        async with Site(servers, "overload", (1,), own=OWN) as site:
            url = f"http://{LOOPBACK}:{site.port(1)}"
            async with httpx.AsyncClient(base_url=url, timeout=30) as http:
                token = await client_of(http, servers.operator, NEIGHBOUR)
                await asyncio.sleep(1)
                capacity = await _capacity(site, scale)
                quiet = _question(site, token, QUIET, 16, scale, flood=False)
                rate = TIMES * capacity / BATCH
                flood = _question(site, servers.token, rate, CONNECTIONS, scale, flood=True)
                await _publish(quiet)
                for number in range(scale.rounds):
                    alone.append((await _publish(quiet))["latencies"]["202"]["p99"])
                    with _busy_processors():
                        busy.append((await _publish(quiet))["latencies"]["202"]["p99"])
                    noisy, calm, seen = await asyncio.gather(
                        _publish(flood), _publish(quiet), _probe(http, scale)
                    )
                    beside.append(calm["latencies"]["202"]["p99"])
                    floods.append(noisy)
                    probes += seen
                    say(f"round {number + 1}: neighbour's p99 {alone[-1]:.1f} ms, on busy "
                        f"processors {busy[-1]:.1f} ms, beside {beside[-1]:.1f} ms "
                        f"{calm['counts']}; the flood: {noisy}")  # fmt: skip
                    await site.settled()
    finally:
        await servers.drop("overload")
    await servers.queues.empty(servers.queue)
    results.values += _values(capacity, (alone, busy, beside), floods, probes)


@contextmanager
def _busy_processors() -> Iterator[None]:
    """Each processor of the machine has something else to do."""
    command = (sys.executable, "-c", "while True: pass")
    processes = [subprocess.Popen(command) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


async def _capacity(site: Site, scale: Scale) -> float:
    """Events a second that the process takes from one that waits for its answers."""
    load = site.load(1, batch=BATCH, connections=scale.batch_connections, seconds=scale.seconds)
    outcome = await fire(load)
    await site.settled()
    return outcome.rate


def _question(
    site: Site, token: str, rate: float, connections: int, scale: Scale, *, flood: bool
) -> dict[str, Any]:
    return {
        "port": site.port(1),
        "token": token,
        "event": FLOOD if flood else OTHER,
        "batch": BATCH if flood else 1,
        "rate": rate,
        "connections": connections,
        "warm_up": scale.warm_up,
        "seconds": scale.seconds,
    }


async def _publish(question: dict[str, Any]) -> dict[str, Any]:
    answer = await answer_of("bench.overload_client", question)
    found = set(answer["counts"]) - {"202", "207", "429", "503"}
    if found or answer["lost"] or answer["without_wait"]:
        raise BenchFailure(f"an answer is not what it should be: {answer}")
    return answer


async def _probe(http: httpx.AsyncClient, scale: Scale) -> list[float]:
    """Seconds that liveness takes, again and again while the flood lasts."""
    found = []
    end = time.monotonic() + scale.warm_up + scale.seconds
    while time.monotonic() < end:
        began = time.monotonic()
        (await http.get("/health/live")).raise_for_status()
        found.append(time.monotonic() - began)
        await asyncio.sleep(0.1)
    return found


def _values(
    capacity: float,
    neighbour: tuple[list[float], list[float], list[float]],
    floods: list[dict[str, Any]],
    probes: list[float],
) -> list[Value]:
    def of(status: str, name: str) -> float:
        return float(median(each["latencies"][status][name] for each in floods))

    alone, busy, beside = neighbour
    taken = median(each["counts"]["207"] / sum(each["counts"].values()) for each in floods)
    what = f"{TIMES} times the capacity ({capacity:.0f} events/s) from one organisation"
    quiet = f"p99 of another organisation at {QUIET:.0f} events/s"
    return [
        Value("overload_accepted_p99_ms", of("207", "p99"), "ms", f"{what}: accepted", "1000"),
        Value("overload_shed_p99_ms", of("429", "p99"), "ms", f"{what}: refused", "100"),
        Value("overload_taken", TIMES * taken, "ratio", "accepted, against the capacity"),
        Value("overload_live_ms", 1000 * max(probes), "ms", "liveness, the slowest of all"),
        Value("overload_neighbour_p99_ms", median(beside), "ms", f"{quiet}, beside the flood"),
        Value("overload_neighbour_alone_p99_ms", median(alone), "ms", f"{quiet}, alone"),
        by_round("overload_ratio", _ratios(beside, alone), quiet, "1.2"),
        by_round(
            "overload_busy_ratio",
            _ratios(busy, alone),
            f"{quiet}, without a flood on busy processors",
        ),
    ]


def _ratios(values: list[float], to: list[float]) -> list[float]:
    return [value / each for value, each in zip(values, to, strict=True)]

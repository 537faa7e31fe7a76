"""`python -m bench [PART ...]`: Nusabus beside what one would do without it, on this machine, now.

Everything runs on private servers in a temporary folder, over loopback, and ends with the bench.
"""

import argparse
import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from bench.cancelled import cancel
from bench.careful_contest import compete_with_careful
from bench.compatibility import check
from bench.contest import aim_at_nothing, compete
from bench.contracts import govern
from bench.delivery import deliver
from bench.drain import drain
from bench.failure import BenchFailure
from bench.hostile import endure
from bench.isolation import isolate
from bench.journal import fill
from bench.killed import kill
from bench.legacy import legacy
from bench.legacy_transfer import transfer
from bench.machine import described, python_and_processor
from bench.memory import measure_memory
from bench.overload import overload
from bench.profile import profile
from bench.requests import exchange
from bench.results import FILE, Results
from bench.say import console, say
from bench.scale import FULL, QUICK, Scale
from bench.servers import Servers
from bench.site import prepare
from bench.streaming import stream
from bench.subscriptions import subscribe
from bench.weights import weigh
from deploy.local.install import NotInstalled
from deploy.local.processes import ServerError

PARTS = {
    "client": "what the load client itself can send",
    "handrolled": "what a team writes by hand: FastAPI + jsonschema + aio-pika, without a store",
    "management": "publishing through RabbitMQ's management API",
    "single": "the gateway, one event a request (measures handrolled beside it)",
    "batch": "the gateway, 100 events a request, to the last confirm (the same)",
    "stream": "chunks over gRPC beside single events and batches over HTTP",
    "careful": "single events and batches beside an outbox in PostgreSQL with its own relay",
    "relay": "a backlog drained, beside the broker's own limit and aio-pika",
    "memory": "the memory of each process over 1,000,000 events",
    "journal": "5,000,000 entries in the journal against none",
    "bytes": "what an event takes in PostgreSQL, and in its log",
    "compatibility": "questions about the compatibility of schemas per second",
    "contracts": "10,000 contracts against 20: registering, memory, intake, a change",
    "legacy": "COBOL files to JSON and to columns, beside coboljsonifier, cobolio and GnuCOBOL",
    "transfer": "a COBOL file of 1,000,000 records into RabbitMQ, all the way",
    "delivery": "from publish to hands by each way of receiving, and how much at most",
    "isolation": "50 healthy subscriptions alone, and beside four that are stuck",
    "hostile": "a neighbour alone, and beside each attack of one small client",
    "overload": "four times the capacity from one organisation, beside a quiet one",
    "subscriptions": "1,000 subscriptions beside 10: making, publishing, idling, memory",
    "requests": "requests and replies: latency at 200/s, and how many at most",
    "killed": "1,000,000 events in a gRPC stream, its process killed three times (when named)",
    "cancelled": "the memory of the grpc process over 50,000 calls given up (when named)",
    "profile": "where the gateway's processes spend their time (when named)",
}
ON_DEMAND = {"killed", "cancelled", "profile"}
ALONE = "legacy"  # needs no servers
ALIKE: Mapping[str, Callable[[Servers, Scale, Results], Awaitable[None]]] = {
    "stream": stream,
    "careful": compete_with_careful,
    "relay": drain,
    "memory": measure_memory,
    "journal": fill,
    "bytes": weigh,
    "contracts": govern,
    "delivery": deliver,
    "isolation": isolate,
    "hostile": endure,
    "overload": overload,
    "subscriptions": subscribe,
    "requests": exchange,
    "transfer": transfer,
    "killed": kill,
    "cancelled": cancel,
}
CONTEST = ("handrolled", "management", "single", "batch")


def main() -> None:
    """Measure, show the table, write results.json. Fails when something was refused or lost."""
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=__doc__,
        epilog="parts: " + "; ".join(f"{name}: {what}" for name, what in PARTS.items()),
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help="by default all of them")
    parser.add_argument("--list", action="store_true", help="name the parts and end")
    parser.add_argument(
        "--quick", action="store_true", help="less of each: to try the bench itself"
    )
    parser.add_argument(
        "--output", type=Path, default=FILE, metavar="FILE", help="where the results are written"
    )
    arguments = parser.parse_args()
    if arguments.list:
        console.print("\n".join(f"{name:10} {what}" for name, what in PARTS.items()))
        return
    unknown = set(arguments.parts) - set(PARTS)
    if unknown:
        parser.error(f"no such part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    results = Results(where=python_and_processor())
    parts = arguments.parts or [name for name in PARTS if name not in ON_DEMAND]
    try:
        if ALONE in parts:
            legacy(results)
        if set(parts) != {ALONE}:
            asyncio.run(_run(parts, QUICK if arguments.quick else FULL, results))
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit("stopped")
    except (BenchFailure, NotInstalled, ServerError) as error:
        sys.exit(f"The bench failed: {error}")
    finally:
        results.show(console)
    results.write(arguments.output)
    console.print(f"Written to {arguments.output}")


async def _run(parts: Sequence[str], scale: Scale, results: Results) -> None:
    work = asyncio.current_task()
    assert work is not None
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, work.cancel)
    say("starting PostgreSQL and RabbitMQ")
    async with Servers() as servers:
        await prepare(servers)
        say("ready")
        results.where = await described(servers)
        if "client" in parts:
            await aim_at_nothing(servers, scale, results)
        if set(parts) & set(CONTEST):
            await compete(servers, scale, parts, results)
        for name, measure in ALIKE.items():
            if name in parts:
                await measure(servers, scale, results)
        if "compatibility" in parts:
            await check(results)
        if "profile" in parts:
            await profile(servers, scale)


if __name__ == "__main__":
    main()

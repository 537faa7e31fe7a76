"""The fault harness: publishers and subscribers of a gateway that is killed, frozen and cut off.

Every fault once and in a random order, again and again for --minutes; then all that was answered
is held against the journal and against what arrived. Exit code 0: the promise was kept (with
--bug: the seeded bug was found). 1: it was not; the logs of the processes are kept.
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.status import Status
from rich.table import Table

from tests.faults.catalogue import CLUSTER_FAULTS, FAULTS
from tests.faults.checker import RULES
from tests.faults.cluster import MAJORITY_LOST, Cluster, ClusterOptions
from tests.faults.cluster_servers import PATIENCE, cluster_servers
from tests.faults.run import Report, Scenario, run
from tests.faults.seeded_bugs import BUGS, CLUSTER_BUGS
from tests.faults.servers import Servers

SHOWN = 10  # breaches of a rule
console = Console(highlight=False)


def main() -> None:
    """Run, show what happened, and tell the verdict by the exit code."""
    given = _arguments()
    known = CLUSTER_FAULTS if given.cluster else FAULTS
    bug = {**BUGS, **CLUSTER_BUGS}.get(given.bug)
    faults = given.fault or (bug.faults if bug else tuple(known))
    options = ClusterOptions(majority_lost=given.majority_lost)
    if bug:
        options = replace(options, apis=1, relays=bug.relays, delivers=bug.delivers, bug=given.bug)
    scenario = Scenario(given.seed, faults, given.minutes * 60, options)
    if given.cluster:
        scenario = replace(scenario, patience=PATIENCE)
    folder = Path(tempfile.mkdtemp(prefix="nusabus-faults-"))
    console.print(f"seed {scenario.seed}, {len(faults)} faults a round, logs in {folder}/logs")
    report = asyncio.run(_run(scenario, folder, cluster=given.cluster))
    _show(report)
    good = bug.found(report.breaches) if bug else not report.breaches
    if good:
        shutil.rmtree(folder)
    sys.exit(0 if good else 1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--minutes", type=float, default=0, help="begin rounds for so long; one round by default"
    )
    parser.add_argument(
        "--seed", type=int, default=int(time.time()), help="decides the order; default: the time"
    )
    parser.add_argument(
        "--fault",
        action="append",
        choices=sorted({**FAULTS, **CLUSTER_FAULTS}),
        help="this one only; may be repeated",
    )
    parser.add_argument(
        "--cluster",
        action="store_true",
        help="three RabbitMQ nodes, a PostgreSQL primary and its standby; faults that kill them",
    )
    parser.add_argument(
        "--majority-lost",
        type=float,
        default=MAJORITY_LOST,
        metavar="SECONDS",
        help="how long the fault lose-majority lasts; a minute by default",
    )
    parser.add_argument(
        "--bug", choices=sorted({**BUGS, **CLUSTER_BUGS}), help="put this bug into the gateway"
    )
    given = parser.parse_args()
    known = (CLUSTER_FAULTS, CLUSTER_BUGS) if given.cluster else (FAULTS, BUGS)
    unknown = {*(given.fault or ()), *([given.bug] if given.bug else ())} - {*known[0], *known[1]}
    if unknown:
        needed = "without" if given.cluster else "with"
        parser.error(f"{', '.join(sorted(unknown))}: only {needed} --cluster")
    return given


async def _run(scenario: Scenario, folder: Path, *, cluster: bool) -> Report:
    servers = (cluster_servers if cluster else Servers)(folder / "servers")
    with console.status("starting PostgreSQL and RabbitMQ") as status:
        try:
            await servers.start()
            return await run(servers, folder / "logs", scenario, _StatusLine(status))
        finally:
            await servers.erase()


class _StatusLine:
    """A line for each step, and one below that shows what flows."""

    def __init__(self, status: Status) -> None:
        self._status = status
        self._begun = time.monotonic()
        self._refreshing: asyncio.Task[None] | None = None

    def __call__(self, cluster: Cluster, what: str) -> None:
        """Say what comes now."""
        if self._refreshing is None:
            self._refreshing = asyncio.create_task(self._refresh(cluster))
        console.print(f"{time.monotonic() - self._begun:7.1f} s  {what}")

    async def _refresh(self, cluster: Cluster) -> None:
        while True:
            run_log = cluster.run_log
            self._status.update(
                f"{run_log.accepted:,} events accepted, {len(run_log.deliveries):,} deliveries, "
                f"{len(run_log.fault_results)} faults, {len(run_log.incidents)} surprises"
            )
            await asyncio.sleep(0.5)


def _show(report: Report) -> None:
    faults = Table("fault", "seconds", "evidence")
    for result in report.observed.run_log.fault_results:
        faults.add_row(
            result.fault, f"{result.seconds:.1f}", result.evidence or f"NONE: {result.failure}"
        )
    rules = Table("rule", "breaches", "what it says")
    for name, rule in RULES.items():
        breaches = len(report.breaches.get(name, ()))
        sentence = (rule.__doc__ or "").partition("\n")[0]
        rules.add_row(name, str(breaches), sentence, style="bold red" if breaches else None)
    console.print(faults, rules)
    for name, found in report.breaches.items():
        for breach in found[:SHOWN]:
            console.print(f"{name}: {breach}", markup=False)
    seen = report.observed
    console.print(
        f"{len(seen.run_log.attempts):,} attempts, {len(seen.rows):,} entries, "
        f"{len(seen.run_log.deliveries):,} deliveries, {len(seen.dead):,} dead letters in "
        f"{report.seconds:.0f} s: the promise was {'BROKEN' if report.breaches else 'kept'}."
    )


if __name__ == "__main__":
    main()

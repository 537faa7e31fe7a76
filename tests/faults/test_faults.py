"""The promise under every fault, and the proof that the checker would see it broken."""

import gc
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.faults.catalogue import FAULTS, SLOW
from tests.faults.cluster import ClusterOptions
from tests.faults.observed import Minimum
from tests.faults.run import Report, Scenario, run
from tests.faults.seeded_bugs import BUGS, TOGETHER
from tests.faults.servers import Servers

pytestmark = [
    pytest.mark.faults,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(900),
    pytest.mark.enable_socket,
    # What aio-pika does when a subscriber's connection that was cut is collected.
    pytest.mark.filterwarnings("ignore:coroutine 'Connection.close' was never awaited"),
]

SEED = 20231105
AT_REST = (
    "lock-check-off", "inbox-off", "redrive-to-all", "source-unbound", "quota-off", "resume-ahead",
)  # fmt: skip
GROUPS = (
    AT_REST,
    ("epoch-check-off", "lease-check-off"),
    ("mandatory-off", "cursor-before-answer"),
)
"""Bugs so far apart that one run shows all of them, each by a rule of its own."""
GROUPED = {name for group in GROUPS for name in group}
ENOUGH = Minimum(
    accepted=800,
    duplicates=20,
    refused=40,
    unknown=10,
    stored_though_unknown=1,
    delivered=40,
    rejected=5,
    redriven=10,
    replays=5,
    actions=3,
    reported=100,
    resumed=6,
    expired=1,
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Servers]:
    """One PostgreSQL and one RabbitMQ for all runs."""
    made = Servers(tmp_path_factory.mktemp("faults"))
    try:
        await made.start()
        yield made
    finally:
        await made.erase()


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    """Collects the connections of a run before another test could be blamed for them."""
    yield
    gc.collect()


def failure_text(report: Report) -> str:
    """What was found, for the one who reads the failed test."""
    fault_results = [
        f"{s.fault}: {s.evidence or s.failure}" for s in report.observed.run_log.fault_results
    ]
    return "\n".join(
        [*fault_results, *(f"{rule}: {found[:3]}" for rule, found in report.breaches.items())]
    )


async def test_the_promise_is_kept(servers: Servers, tmp_path: Path) -> None:
    faults = [name for name in FAULTS if name not in SLOW]
    report = await run(servers, tmp_path, Scenario(SEED, faults, minimum=ENOUGH, patience=120))
    assert not report.breaches, failure_text(report)


@pytest.mark.parametrize(
    "names", [*((name,) for name in BUGS if name not in GROUPED), *GROUPS], ids=TOGETHER.join
)
async def test_seeded_bugs_are_found(
    servers: Servers, tmp_path: Path, names: tuple[str, ...]
) -> None:
    bugs = [BUGS[name] for name in names]
    relays, delivers = max(bug.relays for bug in bugs), max(bug.delivers for bug in bugs)
    options = ClusterOptions(1, relays, delivers, TOGETHER.join(names))
    faults = sorted({fault for bug in bugs for fault in bug.faults})
    patience = 60 if names == AT_REST else 10  # one of them shows only when all came to rest
    scenario = Scenario(SEED, faults, options=options, latecomers=False, patience=patience)
    report = await run(servers, tmp_path, scenario)
    assert all(bug.found(report.breaches) for bug in bugs), failure_text(report)

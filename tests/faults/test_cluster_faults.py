"""The promise while hosts are lost, and the proof that the checker would see it broken.

Three broker nodes and two database servers need a machine of their own for minutes, so these run
only when they are asked for: `make test ARGS="-m cluster"`.
"""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from tests.faults.catalogue import CLUSTER_FAULTS
from tests.faults.cluster import ClusterOptions
from tests.faults.cluster_servers import PATIENCE, cluster_servers
from tests.faults.observed import Minimum
from tests.faults.run import Scenario, run
from tests.faults.seeded_bugs import CLUSTER_BUGS
from tests.faults.servers import Servers
from tests.faults.test_faults import SEED, failure_text

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(900),
    pytest.mark.enable_socket,
    pytest.mark.filterwarnings("ignore:coroutine 'Connection.close' was never awaited"),
]

LIGHT = ClusterOptions(1, 2, 1, majority_lost=35)
"""Few processes beside three broker nodes. Repair gives up nothing for 30 seconds."""
ENOUGH = Minimum(accepted=400, duplicates=10, refused=20, delivered=20, reported=50)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def servers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Servers]:
    """Three RabbitMQ nodes for all runs."""
    made = cluster_servers(tmp_path_factory.mktemp("cluster"))
    try:
        await made.start()
        yield made
    finally:
        await made.erase()


async def test_the_promise_is_kept_while_hosts_are_lost(servers: Servers, tmp_path: Path) -> None:
    scenario = Scenario(
        SEED, list(CLUSTER_FAULTS), options=LIGHT, minimum=ENOUGH,
        latecomers=False, patience=PATIENCE,
    )  # fmt: skip
    report = await run(servers, tmp_path, scenario)
    assert not report.breaches, failure_text(report)


@pytest.mark.parametrize("name", CLUSTER_BUGS)
async def test_a_seeded_bug_is_found(servers: Servers, tmp_path: Path, name: str) -> None:
    bug = CLUSTER_BUGS[name]
    options = replace(LIGHT, relays=1, bug=name)
    scenario = Scenario(SEED, bug.faults, options=options, latecomers=False, patience=20)
    report = await run(servers, tmp_path, scenario)
    assert bug.found(report.breaches), failure_text(report)

"""The order in which parallel workers take the tests: what takes long comes first.

A file is the unit, as with xdist's `--dist loadfile`; a run of the fault harness is one by itself.
Such a run uses the processors, other tests mostly wait: so one worker carries out the runs, one
after the other, while the others do the rest. Files of a folder follow each other, so that a worker
sets up what they share once. The many short files come last and fill the end, where one worker
would otherwise wait for another.
"""

import pytest
from xdist.remote import Producer  # type: ignore[import-untyped]  # xdist has no types
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]  # likewise
from xdist.workermanage import WorkerController  # type: ignore[import-untyped]  # likewise

FAULTS = "tests/faults/test_faults.py"
FOR_FAULTS = "gw0"  # the worker that carries out the runs of the fault harness
# What comes first. Everything else comes last.
ORDER = (
    "tests/e2e/",
    "tests/integration/",
    "tests/contract/",
    "tests/node/",
    "tests/legacy_",
    "tests/unit/contracts/",
)


class LongestFirst(LoadFileScheduling):  # type: ignore[misc]  # likewise
    """Gives a worker that has little left the next of the remaining units, by their order."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid if nodeid.startswith(FAULTS) else str(super()._split_scope(nodeid))

    def _assign_work_unit(self, node: WorkerController) -> None:
        faults_first = node.gateway.id == FOR_FAULTS
        following = min(
            self.workqueue, key=lambda scope: self._rank(scope, faults_first=faults_first)
        )
        self.workqueue.move_to_end(following, last=False)
        super()._assign_work_unit(node)

    def _rank(self, scope: str, *, faults_first: bool) -> tuple[bool, int, str, int]:
        is_fault = scope.startswith(FAULTS)
        group = next((n for n, each in enumerate(ORDER) if scope.startswith(each)), len(ORDER))
        folder = scope.partition("::")[0].rpartition("/")[0]
        return is_fault is not faults_first, group, folder, -len(self.workqueue[scope])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LongestFirst | None:
    """Used for `--dist loadfile`."""
    return LongestFirst(config, log) if config.getvalue("dist") == "loadfile" else None

"""The order of the units that parallel workers take."""

from functools import partial

from tests.scheduling import LongestFirst


def test_what_takes_long_comes_first_and_a_folder_stays_together() -> None:
    scheduler = LongestFirst.__new__(LongestFirst)
    nodes = [
        *("tests/unit/test_a.py::test_1", "tests/unit/test_b.py::test_1[x::y]"),
        *("tests/unit/test_b.py::test_2", "tests/unit/contracts/test_c.py::test_1"),
        *("tests/integration/webhook/test_d.py::test_1", "tests/integration/test_e.py::test_1"),
        *("tests/integration/webhook/test_f.py::test_1", "tests/faults/test_checker.py::test_1"),
        *("tests/faults/test_faults.py::test_1[a]", "tests/faults/test_faults.py::test_1[b]"),
    ]
    scheduler.workqueue = {}
    for node in nodes:
        scheduler.workqueue.setdefault(scheduler._split_scope(node), {})[node] = False
    runs = ["tests/faults/test_faults.py::test_1[a]", "tests/faults/test_faults.py::test_1[b]"]
    rest = [
        "tests/integration/test_e.py",
        "tests/integration/webhook/test_d.py",
        "tests/integration/webhook/test_f.py",
        "tests/unit/contracts/test_c.py",
        "tests/faults/test_checker.py",
        "tests/unit/test_b.py",
        "tests/unit/test_a.py",
    ]
    for faults_first, order in ((True, [*runs, *rest]), (False, [*rest, *runs])):
        rank = partial(scheduler._rank, faults_first=faults_first)
        assert sorted(scheduler.workqueue, key=rank) == order

"""kill -9 at random moments: every record is published once, the file acknowledged once."""

from pathlib import Path

from tests.legacy_transfer.kills import Harness


def test_a_file_survives_kills(tmp_path: Path) -> None:
    verdict = Harness(tmp_path, 100_000, seed=7).run(kills=3, longest=1.5)
    assert verdict.problems == ()
    assert verdict.kills >= 2

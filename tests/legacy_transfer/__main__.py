"""`python -m tests.legacy_transfer`: the kill harness, as long as one likes."""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.legacy_transfer.kills import Harness


def main() -> None:
    """Run it and say what came of it; exit code 1 where something was lost or twice."""
    parser = argparse.ArgumentParser(prog="python -m tests.legacy_transfer", description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--longest", type=float, default=5.0, help="seconds to a kill")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nusabus-kills-") as folder:
        harness = Harness(Path(folder), given.records, given.seed)
        verdict = harness.run(given.kills, longest=given.longest)
    sys.stdout.write(f"{verdict}\n")
    sys.exit(1 if verdict.problems else 0)


if __name__ == "__main__":
    main()

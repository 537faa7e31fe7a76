"""Delete what private servers keep outside of `.run/`: `python -m deploy.local.clean`."""

import shutil
import sys
from pathlib import Path

from deploy.local.account import SHARED, origin_of
from deploy.local.processes import AlreadyRunning, Lock


def main(root: Path) -> None:
    """Delete the data of folders below `root`, and of folders that are gone."""
    lock = Lock(root / ".run" / "lock")
    if lock.path.exists():
        try:
            lock.take()
        except AlreadyRunning as error:
            sys.exit(f"{error}: stop it first")
    for place in SHARED.glob("*"):
        origin = origin_of(place)
        if origin is not None and (not origin.exists() or origin.is_relative_to(root)):
            shutil.rmtree(place, ignore_errors=True)
    if not any(origin_of(place) for place in SHARED.glob("*")):
        for programs in SHARED.glob("postgresql-*"):
            shutil.rmtree(programs, ignore_errors=True)


if __name__ == "__main__":
    main(Path.cwd())

"""GnuCOBOL on this machine, for the tests and the bench: found, or installed by apt.

The programs in `tests/` that are compiled with it are the other side of the legacy adapter. The
product itself needs no COBOL.
"""

import os
import shutil
import subprocess

from deploy.local.install import privileges

PACKAGE = "gnucobol3"
COMPILER = "cobc"


def ensure_gnucobol() -> bool:
    """Whether the compiler is here, after an attempt to install it where that is allowed."""
    if shutil.which(COMPILER):
        return True
    prefix = privileges()
    if prefix is None or not shutil.which("apt-get"):
        return False
    print(f"Installing GnuCOBOL ({PACKAGE})", flush=True)
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (("update", "-q"), ("install", "-y", "-q", "--no-install-recommends", PACKAGE)):
        subprocess.run(
            (*prefix, "apt-get", *command),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=quiet,
            check=False,
        )
    return shutil.which(COMPILER) is not None


if __name__ == "__main__":
    found = "installed" if ensure_gnucobol() else "missing: the tests that need it are skipped"
    print(f"GnuCOBOL: {found}")

"""Programs that we did not write, for the tests and the bench: found, or installed by apt.

GnuCOBOL compiles the programs that are the other side of the legacy adapter, amqp-tools read the
queues as a subscriber's own client would. The product itself needs neither.
"""

import os
import shutil
import subprocess

from deploy.local.install import privileges

PACKAGES = {"cobc": "gnucobol3", "amqp-consume": "amqp-tools"}  # by the command that is looked for


def ensure(command: str) -> bool:
    """Whether a command is here, after an attempt to install it where that is allowed."""
    if shutil.which(command):
        return True
    prefix = privileges()
    if prefix is None or not shutil.which("apt-get"):
        return False
    package = PACKAGES[command]
    print(f"Installing {package}", flush=True)
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for step in (("update", "-q"), ("install", "-y", "-q", "--no-install-recommends", package)):
        subprocess.run(
            (*prefix, "apt-get", *step),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=quiet,
            check=False,
        )
    return shutil.which(command) is not None


if __name__ == "__main__":
    for command, package in PACKAGES.items():
        print(f"{package}: {'installed' if ensure(command) else 'missing, its tests are skipped'}")

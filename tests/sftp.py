"""A real SFTP server of our own: OpenSSH's sshd on a loopback port, and OpenSSH's client."""

import getpass
import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Self

from deploy.local.account import unprivileged
from deploy.local.ports import LOOPBACK, free_port, listening
from tests.waiting import eventually

CONFIGURATION = """
ListenAddress 127.0.0.1
Port {port}
HostKey {keys}/host
AuthorizedKeysFile {keys}/client.pub
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PidFile none
Subsystem sftp internal-sftp
ForceCommand internal-sftp -d {root}
"""
# Since OpenSSH 9.8 the server runs these for each connection, where it has them.
HELPERS = {"sshd-session": "SshdSessionPath", "sshd-auth": "SshdAuthPath"}


class SftpServer:
    """Serves `root` to the holder of its key. As root it runs as the unprivileged account."""

    def __init__(self, program: Path, folder: Path, root: Path) -> None:
        self._folder = folder
        self._root = root
        self._account = unprivileged()
        self._port = free_port()
        self._program = folder / "sshd"  # where that account can reach it
        shutil.copy(program, self._program)
        beside = program.parents[1] / "lib" / "openssh"
        self._helpers = [each for each in HELPERS if (beside / each).exists()]
        for each in self._helpers:
            shutil.copy(beside / each, folder / each)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        keys = self._folder / "keys"
        keys.mkdir()
        for name in ("host", "client"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(keys / name)]
            subprocess.run(command, check=True)
        file = self._folder / "sshd_config"
        paths = "".join(f"{HELPERS[each]} {self._folder / each}\n" for each in self._helpers)
        text = CONFIGURATION.format(port=self._port, keys=keys, root=self._root)
        file.write_text(text + paths)
        account = self._account
        if account is not None:
            for each in (keys, keys / "host", self._root):
                os.chown(each, account.uid, account.gid)
        log = (self._folder / "sshd.log").open("wb")
        with log:
            self._process = subprocess.Popen(
                [str(self._program), "-D", "-e", "-f", str(file)],
                cwd=self._folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                user=account.uid if account else None, group=account.gid if account else None,
                extra_groups=[] if account else None,
            )  # fmt: skip
        eventually(lambda: listening(self._port))
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def client(self, *commands: str, slow: bool = False) -> "subprocess.Popen[bytes]":
        """OpenSSH's client at these commands; `slow` at 1,000 bytes a second."""
        user = getpass.getuser() if self._account is None else pwd.getpwuid(self._account.uid)[0]
        script = self._folder / f"batch-{len(list(self._folder.iterdir()))}"
        script.write_text("".join(f"{each}\n" for each in commands))
        pace = ("-l", "8", "-B", "1024", "-R", "1") if slow else ()
        options = (
            "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR",
            "IdentitiesOnly=yes",
        )  # fmt: skip
        return subprocess.Popen(
            [
                "sftp", "-q", "-F", "/dev/null", "-P", str(self._port),
                "-i", str(self._folder / "keys" / "client"),
                *(part for each in options for part in ("-o", each)),
                *pace, "-b", str(script), f"{user}@{LOOPBACK}",
            ],
            stdin=subprocess.DEVNULL, stdout=sys.stderr, stderr=sys.stderr,
        )  # fmt: skip

    def carry_out(self, *commands: str) -> None:
        """The same to its end. Fails where a command fails."""
        assert self.client(*commands).wait(timeout=60) == 0

"""A database server that is set back to what it held before, as after the loss of its disk."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Protocol

from deploy.local.account import data_folder, unprivileged
from deploy.local.gateway import ROOT
from deploy.local.postgres import Postgres, programs
from tests.guides import blocks
from tests.servers import query
from tests.waiting import eventually

PAGE = ROOT / "docs/operations/restoring.md"
_SETTING = re.compile(r"^ *(\w+) = '?(.+?)'?$", re.MULTILINE)
_RECOVERED = "SELECT NOT pg_is_in_recovery()"
_ARCHIVED = "SELECT last_archived_wal >= $1 FROM pg_stat_archiver"


class Restorable(Protocol):
    """A state of a server that it can be set back to."""

    def restore(self) -> None:
        """The server is killed, and its successor knows nothing of what came after the state."""


class Backup:
    """The files of a server that was stopped for it, to be put in place of the present ones."""

    def __init__(self, postgres: Postgres, folder: Path) -> None:
        self._postgres = postgres
        self._folder = folder / "backup"
        postgres.stop("fast")
        shutil.copytree(postgres.data, self._folder, symlinks=True)
        postgres.start()

    def restore(self) -> None:
        """The server is killed, and its successor knows nothing of what came after the backup."""
        self._postgres.kill()
        _put_in_place(self._folder, self._postgres.data)
        self._postgres.start()


class Archive:
    """A base backup of a server and its log since then: any moment after it can be restored.

    Archiving and restoring are set as docs/operations/restoring.md says.
    """

    def __init__(self, folder: Path, settings: Mapping[str, str]) -> None:
        """Make the server; the archive lies where its account can write."""
        self._folder = data_folder(folder, unprivileged()) / "archive"
        archiving, self._restoring = map(self._settings, blocks(PAGE, "ini"))
        self.postgres = Postgres(folder, settings={**settings, **archiving})
        self._base = folder / "base"

    def start(self) -> None:
        """Start the server, and take the base backup."""
        self._folder.mkdir()
        self.postgres.start()
        owner = self.postgres.data.stat()
        os.chown(self._folder, owner.st_uid, owner.st_gid)
        command = blocks(PAGE, "sh")[0].split()
        subprocess.run(
            [programs() / command[0], *command[1:-1], f"--pgdata={self._base}",
             f"--dbname={self.postgres.superuser_url}"],
            check=True,
        )  # fmt: skip

    def moment(self) -> "Moment":
        """The present one."""
        [(now,)] = query(self.postgres.superuser_url, "SELECT clock_timestamp()")
        return Moment(self, now)

    def restore(self, moment: datetime) -> None:
        """The server is killed, and its successor knows what the archive has up to a moment."""
        [(last,)] = query(self.postgres.superuser_url, "SELECT pg_walfile_name(pg_switch_wal())")
        eventually(lambda: query(self.postgres.superuser_url, _ARCHIVED, last)[0][0])
        self.postgres.kill()
        restoring = {**self._restoring, "recovery_target_time": moment.isoformat()}
        with (self._base / "postgresql.auto.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in restoring.items())
        (self._base / "recovery.signal").touch()
        _put_in_place(self._base, self.postgres.data)
        self.postgres.start()
        # It answers before it has read all of its log, and is read-only until then.
        eventually(lambda: query(self.postgres.superuser_url, _RECOVERED)[0][0])

    def _settings(self, block: str) -> dict[str, str]:
        return dict(_SETTING.findall(block.replace("/archive/", f"{self._folder}/")))


class Moment:
    """A moment that an archive reaches."""

    def __init__(self, archive: Archive, at: datetime) -> None:
        self._archive = archive
        self._at = at

    def restore(self) -> None:
        """The server is killed, and its successor knows nothing of what came after the moment."""
        self._archive.restore(self._at)


def _put_in_place(files: Path, data: Path) -> None:
    """Let a server that is not running have a copy of these files as its own."""
    owner = data.stat()
    shutil.rmtree(data)
    shutil.copytree(files, data, symlinks=True)
    for folder, _, names in os.walk(data):
        for each in (folder, *(os.path.join(folder, name) for name in names)):
            os.lchown(each, owner.st_uid, owner.st_gid)
    data.chmod(0o700)

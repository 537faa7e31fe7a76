"""A database server that is set back to what it held before, as after the loss of its disk."""

import os
import shutil
from pathlib import Path

from deploy.local.postgres import Postgres


class Backup:
    """The files of a server that was stopped for it, to be put in place of the present ones."""

    def __init__(self, postgres: Postgres, folder: Path) -> None:
        self._postgres = postgres
        self._folder = folder / "backup"
        self._data = postgres.data
        postgres.stop("fast")
        shutil.copytree(self._data, self._folder, symlinks=True)
        postgres.start()

    def restore(self) -> None:
        """The server is killed, and its successor knows nothing of what came after the backup."""
        owner = self._data.stat()
        self._postgres.kill()
        shutil.rmtree(self._data)
        shutil.copytree(self._folder, self._data, symlinks=True)
        for folder, _, files in os.walk(self._data):
            for each in (folder, *(os.path.join(folder, name) for name in files)):
                os.lchown(each, owner.st_uid, owner.st_gid)
        self._data.chmod(0o700)
        self._postgres.start()

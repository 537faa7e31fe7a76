"""Two private PostgreSQL servers: a primary, and a standby that it waits for at each commit."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from deploy.local.account import unprivileged
from deploy.local.ports import LOOPBACK
from deploy.local.postgres import ARCHIVIST, NAME, OWNER, Postgres
from deploy.local.processes import wait_until
from deploy.local.state_file import StateFile

_PROMOTE = "SELECT pg_promote();\nALTER SYSTEM RESET synchronous_standby_names;"
_ATTACHED = "SELECT 'attached' FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum');"
_RELOAD = "SELECT pg_reload_conf();"


class PairedServer(Postgres):
    """A server with the same passwords as the other, whose files may be a copy of the other's."""

    def __init__(self, folder: Path, shared: StateFile, settings: Mapping[str, str]) -> None:
        super().__init__(folder, settings=settings)
        for login in ("superuser", NAME, OWNER, ARCHIVIST):
            self._state.note(login, shared.password(login))
        self._source: PairedServer | None = None

    def follow(self, primary: "PairedServer") -> None:
        """Start as a standby of this server, from a copy of its files."""
        self._state.note("database")  # it comes with the copy
        self._source = primary
        self.start()

    def execute(self, script: str) -> str:
        """Run statements as the superuser; what psql prints."""
        return self._sql(script)

    def _make_cluster(self) -> None:
        if self._source is None:
            super()._make_cluster()
            return
        fresh, account = self._place / "data.new", unprivileged()
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        if account is not None:
            os.chown(fresh, account.uid, account.gid)
        self._tool(
            "pg_basebackup", f"--pgdata={fresh}", "--checkpoint=fast", "--write-recovery-conf",
            f"--host={LOOPBACK}", f"--port={self._source.port}", "--username=postgres",
        )  # fmt: skip
        fresh.rename(self.data)


class PostgresPair:
    """The two servers. `primary` and `standby` change places with each failover."""

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        folder = folder.resolve()
        shared = StateFile(folder / "pair.json")
        self.members = tuple(
            PairedServer(folder / name, shared, settings or {}) for name in ("a", "b")
        )
        self.primary, self.standby = self.members

    def start(self) -> None:
        """Return once the standby has all, and every commit waits for it."""
        self.primary.start()
        self._attach()

    def isolate_standby(self) -> None:
        """The standby gets nothing more, so that no commit is confirmed."""
        self.standby.execute(f"ALTER SYSTEM SET primary_conninfo = '';\n{_RELOAD}")
        wait_until(lambda: not self._synchronous(), seconds=10, failure="the standby is attached")

    def promote_standby(self) -> None:
        """The standby becomes the primary, and waits for nobody. The other must be dead."""
        self.standby.execute(f"{_PROMOTE}\n{_RELOAD}")
        self.primary, self.standby = self.standby, self.primary

    def rejoin(self) -> None:
        """The former primary becomes the standby, from a new copy: its own files may differ."""
        shutil.rmtree(self.standby.data)
        self._attach()

    def erase(self) -> None:
        """Kill both and delete all their data."""
        for member in self.members:
            member.erase()

    def _attach(self) -> None:
        self.standby.follow(self.primary)
        self.primary.execute(f"ALTER SYSTEM SET synchronous_standby_names = '*';\n{_RELOAD}")
        wait_until(
            self._synchronous, seconds=60, failure=f"no standby attached ({self.primary.log})"
        )

    def _synchronous(self) -> bool:
        return "attached" in self.primary.execute(_ATTACHED)

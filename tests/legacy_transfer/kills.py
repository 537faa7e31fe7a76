"""Kill the watcher of a feed again and again while it works a large file, and count."""

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from adapters.legacy_cobol.transfer.feed import Feed
from adapters.legacy_cobol.transfer.journal import File, FileOutcome, FileState, Journal
from deploy.local.gateway import ROOT
from tests.legacy_feeds import a_feed, a_file, a_payment, submit
from tests.legacy_transfer.gateway import StoringGateway

PUBLISHING = 0.75  # of the kills come when events are leaving
EVERY_BAD = 997  # one record of so many is bad


@dataclass(frozen=True)
class Verdict:
    """What came of it; `problems` is empty where all is as promised."""

    kills: int
    events: int
    repeated: int
    seconds: float
    problems: tuple[str, ...]


class Harness:
    """A feed with a file of so many records, and a gateway."""

    def __init__(self, folder: Path, records: int, seed: int = 0) -> None:
        self.records = records
        self.bad = records // EVERY_BAD
        self.feed: Feed = a_feed(folder / "feed")
        self._random = random.Random(seed)
        self._acks: list[str] = []
        submit(self.feed, _content(records))

    def run(self, kills: int, *, longest: float) -> Verdict:
        """Kill so many times, each up to `longest` seconds after it began to work."""
        began, done = time.monotonic(), 0
        with StoringGateway() as gateway:
            while done < kills and not self._finished():
                process = self._start(gateway.url)
                self._wait_working(process, publishing=self._random.random() < PUBLISHING)
                time.sleep(self._random.uniform(0, longest))
                if process.poll() is None:
                    process.send_signal(signal.SIGKILL)
                    done += 1
                process.wait()
                self._take_acks()
            process = self._start(gateway.url)
            process.wait()
            self._take_acks()
            problems = tuple(self._conclude(gateway))
            seconds = time.monotonic() - began
            return Verdict(done, len(gateway.ids), gateway.repeated, seconds, problems)

    def _start(self, url: str) -> "subprocess.Popen[bytes]":
        known = {"NUSABUS_URL": url, "NUSABUS_CLIENT_ID": "x", "NUSABUS_CLIENT_SECRET": "y"}
        command = [sys.executable, "-m", "adapters.cli", "legacy", "watch", "--once"]
        log = (self.feed.folder.parent / "watch.log").open("ab")
        with log:
            return subprocess.Popen(
                [*command, str(self.feed.folder)],
                cwd=ROOT, env={**os.environ, **known}, stdout=log, stderr=log,
            )  # fmt: skip

    def _wait_working(self, process: "subprocess.Popen[bytes]", *, publishing: bool) -> None:
        lock = self.feed.folder / ".lock"
        while process.poll() is None:
            if lock.exists() and lock.read_text() == str(process.pid):
                file = self._file()
                if not publishing or (file and file.state is FileState.PUBLISHING):
                    return
            time.sleep(0.01)

    def _file(self) -> File | None:
        if not (self.feed.folder / "journal.db").exists():
            return None
        journal = Journal(self.feed.folder)
        try:
            files = journal.files()
        finally:
            journal.close()
        return files[0] if files else None

    def _finished(self) -> bool:
        file = self._file()
        return file is not None and file.state == "finished"

    def _take_acks(self) -> None:
        for each in (self.feed.folder / "acks").iterdir():
            self._acks.append(each.name)
            each.unlink()

    def _conclude(self, gateway: StoringGateway) -> list[str]:
        file = self._file()
        wanted = self.records - self.bad
        numbers = {int(id.rpartition("-")[2]) for id in gateway.ids}
        right = {number + 1 for number in range(1, self.records + 1) if number % EVERY_BAD}
        checks = [
            (file is not None and file.outcome is FileOutcome.PARTIAL, f"outcome: {file}"),
            (file is not None and file.published == wanted, f"published: {file}"),
            (file is not None and file.rejected == self.bad, f"rejected: {file}"),
            (numbers == right, f"{len(numbers ^ right)} records are missing or too many"),
            (len(gateway.ids) == wanted, f"{len(gateway.ids)} events, not {wanted}"),
            (not gateway.wrong, f"other content came for {gateway.wrong[:3]}"),
            (self._acks == ["PAY.DAT.000001.ack"], f"acknowledgements: {self._acks}"),
        ]
        return [printed for good, printed in checks if not good]


def _content(records: int) -> bytes:
    rows = [a_payment(number, number % 1000) for number in range(1, records + 1)]
    content = a_file(rows)
    width = len(rows[0])
    found = bytearray(content)
    for number in range(EVERY_BAD, records + 1, EVERY_BAD):
        at = number * width + 25  # in SERIAL-IN-FILE, which is only in the hash total
        found[at : at + 1] = b"?"
    return bytes(found)

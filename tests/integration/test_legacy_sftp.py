"""Files that a real SFTP server writes into incoming/ while a watcher works the feed."""

import asyncio
import hashlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from adapters.legacy_cobol.transfer.feed import Feed
from adapters.legacy_cobol.transfer.folders import INCOMING
from adapters.legacy_cobol.transfer.watcher import watch
from deploy.local.external_programs import ensure, sshd
from tests.legacy_feeds import FakeGateway, a_feed, a_file, a_sender, payments
from tests.sftp import SftpServer
from tests.waiting import eventually

LARGE, SMALL = a_file(payments(3000), serial=2), a_file(payments(2, 5000))


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the server's account may enter."""
    found = Path(tempfile.mkdtemp(prefix="nusabus-sftp-"))
    found.chmod(0o755)
    yield found
    shutil.rmtree(found)


@pytest.fixture
def server(folder: Path) -> Iterator[SftpServer]:
    """Serves incoming/ of the feed in `folder`."""
    program = sshd() if ensure("sftp") else None
    if program is None:
        pytest.skip("OpenSSH is not here and cannot be fetched")
    for name in ("server", "feed", "feed/incoming", "files"):
        (folder / name).mkdir()
    (folder / "files" / "LARGE.DAT").write_bytes(LARGE)
    (folder / "files" / "SMALL.DAT").write_bytes(SMALL)
    with SftpServer(program, folder / "server", folder / "feed" / INCOMING) as found:
        yield found


@asynccontextmanager
async def watched(feed: Feed, gateway: FakeGateway) -> AsyncIterator[None]:
    stop = asyncio.Event()
    task = asyncio.create_task(watch(feed, a_sender(gateway), stop))
    yield
    stop.set()
    await task


async def seen(condition: Callable[[], bool]) -> None:
    """Wait for it beside the watcher."""
    await asyncio.to_thread(eventually, condition)


def acks(feed: Feed) -> list[str]:
    return sorted(each.name for each in (feed.folder / "acks").iterdir())


def marker(mode: str, content: bytes) -> str:
    digest = hashlib.sha256(content).hexdigest()
    return f"size = {len(content)}\nsha256 = {digest}\n" if mode == "ctl" else ""


@pytest.mark.parametrize("mode", ["rename", "done", "ctl"])
async def test_a_half_written_file_is_never_taken(
    server: SftpServer, folder: Path, mode: str
) -> None:
    """The watcher takes what came whole beside it, so it looked; then the line is cut."""
    feed, gateway = a_feed(folder / "feed", f'complete = "{mode}"'), FakeGateway()
    files = folder / "files"
    for name, content in (("LARGE", LARGE), ("SMALL", SMALL)):
        (files / f"{name}.DAT.{mode}").write_text(marker(mode, content))
    under_way = "LARGE.DAT.part" if mode == "rename" else "LARGE.DAT"
    partial = feed.folder / INCOMING / under_way

    def finish(name: str, under_way: str) -> list[str]:
        if mode == "rename":
            return [f"put {files}/{name} {under_way}", f"rename {under_way} {name}"]
        return [f"put {files}/{name} {name}", f"put {files}/{name}.{mode} {name}.{mode}"]

    async with watched(feed, gateway):
        slow = server.client(f"put {files}/LARGE.DAT {under_way}", slow=True)
        try:
            await seen(lambda: partial.exists() and partial.stat().st_size > 0)
            await asyncio.to_thread(server.carry_out, *finish("SMALL.DAT", "SMALL.DAT.part"))
            await seen(lambda: acks(feed) == ["SMALL.DAT.000001.ack"])
            assert slow.poll() is None
            assert 0 < partial.stat().st_size < len(LARGE)
        finally:
            slow.kill()
            slow.wait()
        assert len(gateway.events) == 2
        await asyncio.to_thread(server.carry_out, *finish("LARGE.DAT", "LARGE.DAT.part"))
        await seen(lambda: len(acks(feed)) == 2)
    assert acks(feed)[0] == "LARGE.DAT.000002.ack"
    assert (feed.folder / "done" / "LARGE.DAT.000002").read_bytes() == LARGE
    assert list((feed.folder / INCOMING).iterdir()) == []


async def test_a_sender_that_renames_nothing(server: SftpServer, folder: Path) -> None:
    """While the server has the file open it is left alone, as far as the system tells."""
    feed, gateway, files = a_feed(folder / "feed"), FakeGateway(), folder / "files"
    partial = feed.folder / INCOMING / "LARGE.DAT"
    async with watched(feed, gateway):
        slow = server.client(f"put {files}/LARGE.DAT", slow=True)
        try:
            await seen(lambda: partial.exists() and partial.stat().st_size > 0)
            await asyncio.to_thread(server.carry_out, f"put {files}/SMALL.DAT")
            await seen(lambda: acks(feed) == ["SMALL.DAT.000001.ack"])
            assert partial.exists()
        finally:
            slow.kill()
            slow.wait()
        await seen(lambda: len(acks(feed)) == 2)  # the line was cut: it is as whole as it gets
    assert len(gateway.events) == 2
    assert "QUARANTINE" in (feed.folder / "acks" / "LARGE.DAT.000002.ack").read_text()

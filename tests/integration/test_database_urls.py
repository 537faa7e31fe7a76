"""A URL of the database means what it means to other clients: TLS by its parameters, two hosts."""

import asyncio
import contextlib
import ssl
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from sqlalchemy import text

from consumers.inbox import Inbox
from deploy.local.ports import LOOPBACK, free_port
from deploy.local.postgres import Postgres
from gateway.base.database import Database, DatabaseUnavailable, Topic
from gateway.migrations.run import migrate
from tests.authority import Authority
from tests.servers import as_owner, fresh_database

# What a client of PostgreSQL sends before TLS; the server's answer is one byte.
TLS_REQUEST = (8).to_bytes(4, "big") + (80877103).to_bytes(4, "big")


@asynccontextmanager
async def encrypted(database: str, tls: ssl.SSLContext) -> AsyncIterator[str]:
    """The address of a server that speaks TLS, and nothing else, before a database."""
    parts = urlsplit(database)

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError):
            if await reader.readexactly(len(TLS_REQUEST)) != TLS_REQUEST:
                writer.close()
                return
            writer.write(b"S")
            await writer.start_tls(tls)
            inner, outer = await asyncio.open_connection(parts.hostname, parts.port)
            await asyncio.gather(_pipe(reader, outer), _pipe(inner, writer))

    async with await asyncio.start_server(serve, LOOPBACK) as server:
        yield f"{LOOPBACK}:{server.sockets[0].getsockname()[1]}"


async def _pipe(source: StreamReader, sink: StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while content := await source.read(65536):
            sink.write(content)
            await sink.drain()
    sink.close()


async def _use(url: str) -> None:
    """All that reads a URL: migrations, both kinds of connections, a consumer's inbox."""
    await migrate(url)
    database = await Database.open(url, connections=1, timeout=5)
    try:
        async with database.session() as session:
            assert (await session.execute(text("SELECT 1"))).scalar_one() == 1
        assert Topic.IDENTITY in await database.revisions()
    finally:
        await database.close()
    inbox = await Inbox.open(url, "uji")
    await inbox.close()


async def test_a_server_is_verified_as_the_url_says(postgres: Postgres, tmp_path: Path) -> None:
    plain = as_owner(await asyncio.to_thread(fresh_database, postgres))
    ours, other = _authority(tmp_path / "ours"), _authority(tmp_path / "other")
    async with encrypted(plain, ours.serve(LOOPBACK)) as address:
        url = plain.replace(urlsplit(plain).netloc.rpartition("@")[2], address)
        await _use(f"{url}?sslmode=verify-full&sslrootcert={ours.file}")
        database = await Database.open(
            f"{url}?sslmode=verify-full&sslrootcert={other.file}", connections=1, timeout=5
        )
        with pytest.raises(DatabaseUnavailable):
            await database.revisions()
        with pytest.raises(DatabaseUnavailable):
            async with database.session() as session:
                await session.execute(text("SELECT 1"))
        await database.close()


async def test_a_server_may_want_our_certificate(postgres: Postgres, tmp_path: Path) -> None:
    plain = as_owner(await asyncio.to_thread(fresh_database, postgres))
    ours = _authority(tmp_path / "ours")
    server = ours.serve(LOOPBACK)
    server.load_verify_locations(ours.file)
    server.verify_mode = ssl.CERT_REQUIRED
    pair = ours.issue("nusabus", x509.DNSName("nusabus"))
    async with encrypted(plain, server) as address:
        url = plain.replace(urlsplit(plain).netloc.rpartition("@")[2], address)
        trusting = f"{url}?sslmode=verify-full&sslrootcert={ours.file}"
        await _use(f"{trusting}&sslcert={pair}&sslkey={pair}")
        database = await Database.open(trusting, connections=1, timeout=5)
        with pytest.raises(DatabaseUnavailable):
            await database.revisions()
        await database.close()


async def test_the_host_that_answers_is_used(postgres: Postgres) -> None:
    url = as_owner(await asyncio.to_thread(fresh_database, postgres))
    host = urlsplit(url).netloc.rpartition("@")[2]
    two = url.replace(host, f"{LOOPBACK}:{free_port()},{host}")
    await _use(f"{two}?target_session_attrs=primary")


@asynccontextmanager
async def impostor(*, silent: bool) -> AsyncIterator[tuple[str, list[int]]]:
    """A host that accepts connections and says nothing, or closes them; and how many there were."""
    calls: list[int] = []

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        calls.append(len(calls))
        if silent:
            await reader.read()
        writer.close()

    async with await asyncio.start_server(serve, LOOPBACK) as server:
        yield f"{LOOPBACK}:{server.sockets[0].getsockname()[1]}", calls


@pytest.mark.parametrize("silent", [True, False], ids=["silent", "closing"])
async def test_a_host_that_does_not_serve_keeps_nobody_from_the_next(
    postgres: Postgres, silent: bool
) -> None:
    url = as_owner(await asyncio.to_thread(fresh_database, postgres))
    await migrate(url)
    host = urlsplit(url).netloc.rpartition("@")[2]
    async with impostor(silent=silent) as (other, calls):
        several = f"{url.replace(host, f'{other},{host}')}?target_session_attrs=primary"
        database = await Database.open(several, connections=2, timeout=4)
        try:
            assert Topic.IDENTITY in await database.revisions()
            met = len(calls)
            async with database.session() as session:  # begins with the host that answered
                assert (await session.execute(text("SELECT 1"))).scalar_one() == 1
            await (await database.hosts.connect(timeout=4)).close()
        finally:
            await database.close()
    assert 0 < met == len(calls)


def _authority(folder: Path) -> Authority:
    folder.mkdir()
    return Authority(folder)

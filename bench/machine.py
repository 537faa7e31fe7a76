"""On what the figures were taken: a figure without it means nothing."""

import os
import platform
from pathlib import Path

import httpx

from bench.servers import PREPARED, Servers

CPU = Path("/proc/cpuinfo")


def python_and_processor() -> str:
    """The processor, the system, and this Python."""
    names = [line for line in CPU.read_text().splitlines() if line.startswith("model name")]
    model = names[0].partition(":")[2].strip() if names else platform.machine()
    system = platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    return f"{os.cpu_count()} x {model}, {system}, Python {platform.python_version()}"


async def described(servers: Servers) -> str:
    """That, and the versions of PostgreSQL and RabbitMQ."""
    connection = await servers.connect(PREPARED)
    postgres = await connection.fetchval("SHOW server_version")
    await connection.close()
    async with httpx.AsyncClient(base_url=servers.broker.management_url) as http:
        overview = (await http.get("/api/overview")).raise_for_status().json()
    broker = overview["rabbitmq_version"]
    return f"{python_and_processor()}, PostgreSQL {postgres}, RabbitMQ {broker}"

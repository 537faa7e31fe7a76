"""A server that answers 202 to everything and does nothing: how much can the load client send?"""

import asyncio
import sys
from typing import cast

import uvloop

from deploy.local.ports import LOOPBACK

_ANSWER = b"HTTP/1.1 202 Accepted\r\ncontent-length: 2\r\n\r\n{}"


class _Target(asyncio.Protocol):
    """Takes each burst of bytes for a request, as events are small and sent one at a time."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._transport.write(_ANSWER)


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_Target, LOOPBACK, port)
    await server.serve_forever()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(int(sys.argv[1])))

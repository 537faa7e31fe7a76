"""A worker as the gateway holds it: a process that may be killed and whose memory is bounded."""

import contextlib
from collections.abc import AsyncIterator

from gateway.contracts.compatibility import wire
from gateway.contracts.compatibility.child import Child
from gateway.contracts.compatibility.question import Question, Verdict

START_LIMIT = 10.0  # seconds until a new worker must be ready
_MODULE = "gateway.contracts.compatibility.worker"
_DEATHS = {
    -6: "the comparison needed more memory than it may have",
    -11: "the comparison went too deep",
    -24: "the comparison needed more time than it may have",
}


class Worker(Child):
    """One worker process. It answers one question at a time."""

    @classmethod
    async def start(cls, seconds: float, memory: int) -> "Worker":
        """A worker that is ready. Raises Unavailable if it does not start."""
        return await cls.begin(_MODULE, seconds, memory, limit=START_LIMIT)

    async def ask(self, question: Question) -> AsyncIterator[tuple[Verdict, bool]]:
        """Verdicts, the last one final. Ends early if the worker dies."""
        with contextlib.suppress(EOFError, ConnectionError):
            await self.write(wire.encode_question(question))
            while True:
                yield wire.decode_verdict(await self.read())

    async def end(self) -> str:
        """Kill it, now, and say what it died of if it was dead before."""
        return _DEATHS.get(await self.kill(), "the comparison was ended")

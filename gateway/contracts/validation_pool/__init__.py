"""Validation and masking in worker processes: what may be expensive is beside the event loop.

A worker is killed when an event takes more CPU than allowed. Workers start when first needed.
"""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from prometheus_client import Counter, Gauge

from gateway.base import errors
from gateway.base.errors import ContractViolation, Malformed, Overloaded, Unavailable, Violation
from gateway.base.fair_turns import FairTurns
from gateway.base.telemetry import METRICS, log
from gateway.contracts.child_process import ChildProcess
from gateway.contracts.validation_pool.tasks import (
    Answer,
    Masked,
    NotJson,
    Task,
    TooExpensive,
    UnknownSchema,
    Violating,
    decode_answer,
    encode,
)
from gateway.contracts.version_schema import VersionSchema

__all__ = ["ValidationPool"]

LIGHT_SECONDS = 0.1
"""Up to this expected CPU time an event may use the worker that is kept for such."""
_LIGHT_LIMIT = 0.5  # seconds of CPU: what turns out to be expensive starts again as such
_TOLERANCE = 2  # times what admission allowed; it measured on another machine, at another hour
_QUEUE = 64  # events of one organisation that may wait in this process
_WAIT = 10.0  # seconds until an event is refused
_START = 10.0  # seconds until a new worker must be ready
_PATIENCE = 60.0  # seconds and eight for each of CPU: a worker runs when nothing else does
_MEMORY = 768 << 20
_MODULE = "gateway.contracts.validation_pool.worker"
_OUT_OF_TIME = frozenset({-signal.SIGPROF, -signal.SIGXCPU})

OUTCOMES = Counter(
    "nusabus_worker_validations",
    "Events that worker processes validated, by outcome",
    ["outcome"],
    registry=METRICS,
)
WAITING = Gauge(
    "nusabus_worker_validations_waiting",
    "Events that wait for a worker process",
    registry=METRICS,
)


class _LimitReached(Exception):
    """The worker was ended: by the kernel at its CPU limit, or because it crashed."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code
        self.out_of_time = code in _OUT_OF_TIME


class ValidationPool:
    """Validates data in worker processes, in fair turns of the organisations that sent them.

    One worker is kept for events that are expected to be cheap, and no organisation uses all.
    """

    def __init__(
        self, *, workers: int = 2, seconds: float = 2.5, wait: float = _WAIT, queue: int = _QUEUE
    ) -> None:
        """`seconds` of CPU are what admission allows an event; `wait` are those for a turn."""
        self._seconds, self._wait = seconds * _TOLERANCE, wait
        most = max(1, workers - 1)
        self._turns = FairTurns(slots=workers, share=most, queue=queue)
        self._expensive = FairTurns(slots=most, share=most, queue=queue)
        self._idle: dict[bool, list[ChildProcess]] = {True: [], False: []}  # by light
        self._busy: set[ChildProcess] = set()
        self._closed = False

    async def validate(
        self, data: bytes, schema: VersionSchema, organisation: str, *, expected: float
    ) -> None:
        """Raises ContractViolation or Malformed unless the data are valid.

        `expected` are the seconds that admission expects. Raises TooExpensive at the limit of
        CPU or memory; Overloaded or Unavailable if no worker could validate the data now.
        """
        try:
            light = expected <= LIGHT_SECONDS
            answer = await self._answer(Task(schema.key, data, 0), schema, organisation, light)
        except errors.NusabusError as error:
            OUTCOMES.labels(error.code).inc()
            raise
        if isinstance(answer, Violating):
            OUTCOMES.labels(ContractViolation.code).inc()
            found = [Violation(*each) for each in answer.violations]
            raise ContractViolation(schema.type, schema.version, found, answer.total)
        if isinstance(answer, NotJson):
            OUTCOMES.labels(Malformed.code).inc()
            raise Malformed(answer.message, pointer=answer.pointer, byte=answer.byte)
        OUTCOMES.labels("valid").inc()

    async def mask(self, data: bytes, schema: VersionSchema, organisation: str) -> bytes | None:
        """The data with all personal data masked that the schema marks; None beyond the limits.

        Raises Overloaded or Unavailable if no worker could mask the data now.
        """
        task = Task(schema.key, data, 0, schema, mask=True)
        try:
            answer = await self._answer(task, schema, organisation, light=True)
        except errors.TooExpensive:
            return None
        return answer.data if isinstance(answer, Masked) else None

    async def close(self) -> None:
        """End the workers. What they work on ends as Unavailable."""
        self._closed = True
        workers = [*self._idle[True], *self._idle[False], *self._busy]
        self._idle = {True: [], False: []}
        await asyncio.gather(*(worker.kill() for worker in workers))

    async def _answer(
        self, task: Task, schema: VersionSchema, organisation: str, light: bool
    ) -> Answer:
        """Do it; what is not as cheap as expected once more as expensive, a crash once more."""
        task.seconds = min(_LIGHT_LIMIT, self._seconds) if light else self._seconds
        for attempt in range(2):
            try:
                async with self._turn(organisation, light=light):
                    answer = await self._run(task, schema, light=light)
                    break
            except _LimitReached as ended:
                final = attempt == 1 or (ended.out_of_time and task.seconds >= self._seconds)
                _report(ended, schema, organisation, len(task.data), final=final)
                if final:
                    raise self._too_expensive(schema) from None
                task.seconds, light = self._seconds, False
        if isinstance(answer, TooExpensive):
            raise self._too_expensive(schema)
        return answer

    @asynccontextmanager
    async def _turn(self, organisation: str, *, light: bool) -> AsyncIterator[None]:
        """A turn of the organisation. Raises Overloaded if it does not come in time."""
        async with AsyncExitStack() as held:
            WAITING.inc()
            try:
                async with asyncio.timeout(self._wait):
                    if not light:
                        await held.enter_async_context(self._expensive.turn(organisation))
                    await held.enter_async_context(self._turns.turn(organisation))
            except TimeoutError:
                raise Overloaded(
                    "The processes that validate large events are busy. Try again later."
                ) from None
            finally:
                WAITING.dec()
            yield

    async def _run(self, task: Task, schema: VersionSchema, *, light: bool) -> Answer:
        if self._closed:
            raise Unavailable("This process is stopping. Repeat the request.")
        idle = self._idle[light]
        worker = idle.pop() if idle else await self._start(light=light)
        self._busy.add(worker)
        done = False
        try:
            async with asyncio.timeout(_PATIENCE + 8 * task.seconds):
                answer = await _ask(worker, task)
                if isinstance(answer, UnknownSchema):
                    known = Task(task.key, task.data, task.seconds, schema, task.mask)
                    answer = await _ask(worker, known)
            done = not self._closed
            return answer
        except TimeoutError:
            raise Unavailable(
                "This machine is too busy to validate the event. Try again."
            ) from None
        except (EOFError, ConnectionError):
            code = await worker.kill()
            if self._closed:
                raise Unavailable("This process is stopping. Repeat the request.") from None
            raise _LimitReached(code) from None
        finally:
            self._busy.discard(worker)
            if done:
                idle.append(worker)
            else:
                await worker.kill()

    async def _start(self, *, light: bool) -> ChildProcess:
        worker = await ChildProcess.start_module(_MODULE, self._seconds, _MEMORY, limit=_START)
        if not light:
            worker.run_when_idle()
        return worker

    def _too_expensive(self, schema: VersionSchema) -> errors.TooExpensive:
        return errors.TooExpensive(
            f"Validating the data under {schema.type} version {schema.version} takes more CPU or "
            f"memory than allowed ({self._seconds:g} s). Send smaller data: fewer elements in its "
            "arrays, fewer members in its objects, or several events."
        )


async def _ask(worker: ChildProcess, task: Task) -> Answer:
    await worker.write(encode(task))
    return decode_answer(await worker.read())


def _report(
    ended: _LimitReached, schema: VersionSchema, organisation: str, size: int, *, final: bool
) -> None:
    log().warning(
        "validation.worker_ended",
        type=schema.type,
        version=schema.version,
        organisation=organisation,
        bytes=size,
        code=ended.code,
        refused=final,
    )

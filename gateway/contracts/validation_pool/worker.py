"""The worker process: reads tasks from standard input, validates, and answers.

The pool starts it with an empty environment. It holds no secret and may be killed at any time.
"""

import gc
import os
import signal
from collections import OrderedDict

import msgspec

from gateway.base import strict_json
from gateway.base.errors import Malformed
from gateway.contracts.compilation import BUNDLE_DEPTH
from gateway.contracts.framing import Channel
from gateway.contracts.personal_data import mask_personal_data
from gateway.contracts.validation import Validator
from gateway.contracts.validation_pool.tasks import (
    Answer,
    Masked,
    NotJson,
    Task,
    TooExpensive,
    UnknownSchema,
    Valid,
    Violating,
    decode_task,
    encode,
)

COMPILED = 64  # schemas that a worker keeps, the last used ones
_encode_data = msgspec.json.Encoder(decimal_format="number").encode  # each number as it was sent
_NICE = 5  # the gateway's own loop comes first where CPU is short


def main(_: float, memory: int) -> None:
    """Work until standard input ends, within `memory` bytes. Each task brings its CPU limit."""
    os.nice(_NICE)
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)  # parsed data have no cycles
    compiled: OrderedDict[bytes, Validator] = OrderedDict()
    channel = Channel(memory)
    for body in channel.bodies():
        task = decode_task(body)
        # Nothing in this process could interrupt the validator: at the limit the kernel ends it.
        signal.setitimer(signal.ITIMER_PROF, task.seconds)
        answer = _answer(task, compiled)
        signal.setitimer(signal.ITIMER_PROF, 0)
        channel.send(encode(answer))


def _answer(task: Task, compiled: OrderedDict[bytes, Validator]) -> Answer:
    try:
        if task.mask and task.schema is not None:
            return _masked(task.data, task.schema.text)
        validator = _validator(task, compiled)
        return UnknownSchema() if validator is None else _validated(task.data, validator)
    except (MemoryError, RecursionError):
        compiled.clear()
        return TooExpensive()


def _validated(text: bytes, validator: Validator) -> Answer:
    try:
        data = strict_json.parse(text)
    except Malformed as error:
        return NotJson(str(error), error.pointer, error.byte)
    if validator.accepts(data):
        return Valid()
    violations, total = validator.explain(data)
    return Violating([(v.pointer, v.keyword, v.message) for v in violations], total)


def _masked(text: bytes, schema: bytes) -> Answer:
    marked = strict_json.parse(schema, depth=BUNDLE_DEPTH)
    return Masked(_encode_data(mask_personal_data(marked, strict_json.parse(text))))


def _validator(task: Task, compiled: OrderedDict[bytes, Validator]) -> Validator | None:
    found = compiled.get(task.key)
    if found is None and task.schema is not None:
        found = compiled[task.key] = task.schema.compiled()
        if len(compiled) > COMPILED:
            compiled.popitem(last=False)
    if found is not None:
        compiled.move_to_end(task.key)
    return found

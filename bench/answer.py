"""The programs of the bench that end with an answer, as their own side sees it."""

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop


def answer(work: Callable[[Any], Coroutine[Any, Any, Any]]) -> None:
    """Read a question as JSON from standard input, write the answer to it to standard output."""
    question = json.load(sys.stdin)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        json.dump(runner.run(work(question)), sys.stdout)

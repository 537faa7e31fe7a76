"""Prints how far the verdicts on compatibility agree with the labels."""

import asyncio
import sys

from gateway.contracts.compatibility import Compatibility
from tests.compatibility.agreement import answered, report
from tests.compatibility.questions import questions


async def main() -> None:
    judge = Compatibility()
    try:
        sys.stdout.write(report(await answered(questions(), judge)) + "\n")
    finally:
        await judge.close()


asyncio.run(main())

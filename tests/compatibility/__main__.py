"""Prints how far the results on compatibility agree with the labels."""

import asyncio
import sys

from gateway.contracts.compatibility import CompatibilityChecker
from tests.compatibility.agreement import answered, report
from tests.compatibility.questions import questions


async def main() -> None:
    checker = CompatibilityChecker()
    try:
        sys.stdout.write(report(await answered(questions(), checker)) + "\n")
    finally:
        await checker.close()


asyncio.run(main())

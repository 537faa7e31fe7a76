"""Checkers to try, and schemas that cost them more than they may."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from gateway.contracts.compatibility import CompatibilityChecker


def endless(kind: str) -> dict[str, Any]:
    """Six choices of three, all at once: the algebra writes out more than it ever can."""
    return {
        "allOf": [
            {
                "anyOf": [
                    {"required": [f"a{n}"]},
                    {"required": [f"b{n}"]},
                    {"properties": {f"c{n}": {"type": kind if n == 5 else "string"}}},
                ]
            }
            for n in range(9)
        ]
    }


@asynccontextmanager
async def a_checker(**settings: Any) -> AsyncIterator[CompatibilityChecker]:
    compatibility = CompatibilityChecker(**settings)
    try:
        yield compatibility
    finally:
        await compatibility.close()

"""Problem documents as a client sees them."""

from typing import Any

import httpx

PROBLEM = "https://nusabus.go.id/problems/"


def problem_of(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem document of an answer that must be this one."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert (document["type"], document["status"]) == (PROBLEM + code, status)
    assert document["title"]
    assert document["detail"]
    return document

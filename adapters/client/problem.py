"""An error that the gateway answered with (RFC 9457)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx


@dataclass(frozen=True, slots=True)
class Violation:
    """One way in which data break their contract."""

    pointer: str
    keyword: str
    message: str


class Problem(Exception):
    """The gateway refused, or could not do it; `detail` says what to do.

    `code` is the stable last part of `type`: `contract-violation`, `identifier-reused`, ...
    `retry_after` is in seconds, where the gateway named a time.
    """

    def __init__(
        self,
        status: int,
        type: str,
        title: str,
        detail: str = "",
        violations: Sequence[Violation] = (),
        retry_after: float | None = None,
    ) -> None:
        self.status = status
        self.type = type
        self.title = title
        self.detail = detail
        self.violations = tuple(violations)
        self.retry_after = retry_after
        places = "".join(f"\n  {each.pointer or '/'}: {each.message}" for each in violations)
        super().__init__(f"{status} {self.code}: {detail or title}{places}")

    @property
    def code(self) -> str:
        """The last part of `type`."""
        return self.type.rpartition("/")[2]

    @classmethod
    def of(cls, body: Mapping[str, Any], retry_after: float | None = None) -> "Problem":
        """The problem in a document, of an answer or in a batch."""
        return cls(
            status=body["status"],
            type=body.get("type", "about:blank"),
            title=body.get("title", ""),
            detail=body.get("detail", ""),
            violations=[Violation(**each) for each in body.get("violations", ())],
            retry_after=retry_after,
        )

    @classmethod
    def answered(cls, response: httpx.Response) -> "Problem":
        """The problem in an answer: problem+json, an OAuth error, or what a proxy said."""
        retry_after = _seconds(response.headers.get("retry-after", ""))
        try:
            body = response.json()
        except ValueError:
            body = None
        if isinstance(body, dict) and "title" in body:
            return cls.of({"status": response.status_code, **body}, retry_after)
        if isinstance(body, dict) and "error" in body:  # RFC 6749, section 5.2
            detail = body.get("error_description", "")
            return cls(response.status_code, body["error"], "No token", detail, (), retry_after)
        title = response.reason_phrase or "Unexpected answer"
        return cls(response.status_code, "about:blank", title, response.text[:200], (), retry_after)


def _seconds(retry_after: str) -> float | None:
    """The number in a Retry-After header; a date counts as none (RFC 9110, section 10.2.3)."""
    return float(retry_after) if retry_after.isdecimal() else None

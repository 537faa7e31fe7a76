"""An error that the gateway answered with (RFC 9457)."""

from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from adapters.client.values import Violation


class Problem(Exception):
    """The gateway refused, or could not do it; `detail` says what to do.

    `code` is the stable last part of `type`: `contract-violation`, `identifier-reused`, ...
    `retry_after` is in seconds, where the gateway named a time; `document` is all that it said.
    """

    def __init__(
        self,
        status: int,
        type: str,
        title: str,
        detail: str = "",
        violations: Sequence[Violation] = (),
        retry_after: float | None = None,
        document: Mapping[str, Any] | None = None,
    ) -> None:
        self.status = status
        self.type = type
        self.code = type.rpartition("/")[2]
        self.title = title
        self.detail = detail
        self.violations = tuple(violations)
        self.retry_after = retry_after
        self.document = document or {}
        places = "".join(f"\n  {each.pointer or '/'}: {each.message}" for each in violations)
        super().__init__(f"{status} {self.code}: {detail or title}{places}")

    @classmethod
    def of(cls, body: Mapping[str, Any], retry_after: float | None = None) -> "Problem":
        """The problem in a document, of an answer or in a batch."""
        violations = [Violation.of(each) for each in body.get("violations", ())]
        type, detail = body.get("type", "about:blank"), body.get("detail", "")
        return cls(body["status"], type, body["title"], detail, violations, retry_after, body)

    @classmethod
    def answered(cls, response: httpx.Response) -> "Problem":
        """The problem in an answer: problem+json, an OAuth error, or what a proxy said."""
        wait = response.headers.get("retry-after", "")  # a date counts as none
        retry_after = float(wait) if wait.isdecimal() else None
        try:
            body = response.json()
        except ValueError:
            body = None
        status = response.status_code
        if isinstance(body, dict) and "title" in body:
            return cls.of({**body, "status": status}, retry_after)
        if isinstance(body, dict) and "error" in body:  # RFC 6749, section 5.2
            detail = body.get("error_description", "")
            return cls(status, body["error"], "No token", detail, (), retry_after)
        title = response.reason_phrase or "Unexpected answer"
        return cls(status, "about:blank", title, response.text[:200], (), retry_after)

"""An error that the gateway answered with (RFC 9457)."""

from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from adapters.client.values import Violation


class Problem(Exception):
    """The gateway refused the call or failed; `detail` says what to do.

    `code` is the last part of `type` and stable: `contract-violation`, `identifier-reused`, ...
    `retry_after` is in seconds, or None. `document` is the whole answer.
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
        violated = "".join(f"\n  {each.pointer or '/'}: {each.message}" for each in violations)
        super().__init__(f"{status} {self.code}: {detail or title}{violated}")

    @classmethod
    def of(cls, body: Mapping[str, Any], retry_after: float | None = None) -> "Problem":
        """The problem in a document: of an answer, or of one event of a batch."""
        violations = [Violation.of(each) for each in body.get("violations", ())]
        type, detail = body.get("type", "about:blank"), body.get("detail", "")
        return cls(body["status"], type, body["title"], detail, violations, retry_after, body)

    @classmethod
    def answered(cls, response: httpx.Response) -> "Problem":
        """The problem in an answer: problem+json, an OAuth error, or the text of a proxy."""
        header = response.headers.get("retry-after", "")  # a date is ignored
        retry_after = float(header) if header.isdecimal() else None
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

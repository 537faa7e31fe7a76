"""Times as the API writes them."""

from datetime import UTC, datetime
from functools import lru_cache


@lru_cache(maxsize=256)  # all entries of a commit have one time
def rfc3339(time: datetime) -> str:
    """A time as RFC 3339 in UTC, with microseconds if it has any."""
    return f"{time.astimezone(UTC).replace(tzinfo=None).isoformat()}Z"


def now() -> datetime:
    """The current time, in UTC."""
    return datetime.now(UTC)

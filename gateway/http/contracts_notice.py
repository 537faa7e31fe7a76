"""Telling publishers that what they use will end: RFC 9745 (Deprecation), RFC 8594 (Sunset)."""

from datetime import UTC
from email.utils import format_datetime

from gateway.contracts import Deprecation


def headers(deprecation: Deprecation, base_url: str) -> list[tuple[bytes, bytes]]:
    """The headers of an answer to whoever used a deprecated version."""
    found = [(b"deprecation", b"@%d" % int(deprecation.since.timestamp()))]
    if deprecation.sunset is not None:
        date = format_datetime(deprecation.sunset.astimezone(UTC), usegmt=True)
        found.append((b"sunset", date.encode()))
    if deprecation.successor is not None:
        link = f'<{base_url}/v1/contracts/{deprecation.successor}>; rel="successor-version"'
        found.append((b"link", link.encode()))
    return found

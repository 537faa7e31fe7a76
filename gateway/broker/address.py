"""The broker's address, from its AMQP URL: `amqp(s)://user:password@host:port,host:port/vhost`."""

from urllib.parse import SplitResult, parse_qs, parse_qsl, quote, unquote, urlencode, urlsplit

from gateway.base.hosts import each_host
from gateway.base.tls import TlsFiles

HEARTBEAT = 10
"""Seconds. aiormq's default is 60, and it gives up after three silent ones."""

_PORTS = {"amqp": 5672, "amqps": 5671}


def with_heartbeat(url: str) -> str:
    """The URL with our heartbeat, unless it has one."""
    query = parse_qs(_first(url).query)
    if "heartbeat" in query:
        return url
    extended = urlencode({**query, "heartbeat": HEARTBEAT}, doseq=True)
    return f"{url.partition('#')[0].partition('?')[0]}?{extended}"


def tls_files(url: str) -> TlsFiles:
    """The files that a URL names: `?cafile=...&certfile=...&keyfile=...`, as aiormq reads them."""
    query = dict(parse_qsl(_first(url).query))
    return TlsFiles(query.get("certfile"), query.get("keyfile"), query.get("cafile"))


def virtual_host(url: str) -> str:
    """The virtual host; `/` if the URL has no path."""
    return unquote(_first(url).path[1:]) or "/"


def credentials(url: str) -> tuple[str, str]:
    """User and password; RabbitMQ's `guest` if the URL has none."""
    parts = _first(url)
    return unquote(parts.username or "guest"), unquote(parts.password or "guest")


def management_url(url: str) -> str:
    """The management API of one host: the AMQP port plus 10,000; https if AMQP uses TLS."""
    parts = urlsplit(url)
    scheme = "https" if parts.scheme == "amqps" else "http"
    return f"{scheme}://{_host(parts)}:{(parts.port or _PORTS[parts.scheme]) + 10_000}"


def subscriber_url(url: str, public: str | None, user: str, password: str) -> str:
    """The URL for a subscriber: at `public` (`amqp(s)://host:port`), or else at our own host.

    It names one host, the first, because few clients know of several.
    """
    parts = _first(public or url)
    login = f"{quote(user, safe='')}:{quote(password, safe='')}"
    port = f":{parts.port}" if parts.port else ""
    path = quote(virtual_host(url), safe="")
    return f"{parts.scheme}://{login}@{_host(parts)}{port}/{path}"


def _first(url: str) -> SplitResult:
    return urlsplit(each_host(url)[0])


def _host(parts: SplitResult) -> str:
    host = parts.hostname or "localhost"
    return f"[{host}]" if ":" in host else host

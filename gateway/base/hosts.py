"""The hosts of a URL: those of a cluster are separated by commas."""

import re

# Read by hand: urlsplit of Python 3.13 refuses an IPv6 address after a comma.
_HOSTS = re.compile(r"([^:/?#]+://(?:[^/?#]*@)?)([^/?#]*)(.*)", re.DOTALL)


def each_host(url: str) -> tuple[str, ...]:
    """The URL for each of its hosts, in their order: `scheme://login@host:port,host:port/path`."""
    found = _HOSTS.fullmatch(url)
    if found is None:
        return (url,)
    before, hosts, after = found.groups()
    return tuple(f"{before}{host}{after}" for host in hosts.split(","))

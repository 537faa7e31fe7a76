"""URI references (RFC 3986): their syntax, their normal form, and what lies under what."""

import re
from ipaddress import AddressValueError, IPv6Address
from typing import NamedTuple, cast

# The grammar (appendix A): ASCII only.
# Possessive repeats: no part can take what the next one needs, so matching takes linear time.
_HEX = "%[0-9A-Fa-f]{2}"
_CHAR = r"A-Za-z0-9._~!$&'()*+,;=\-"


def _run(characters: str) -> str:
    return f"(?:[{characters}]|{_HEX})*+"


_AUTHORITY = (
    rf"(?:(?:[{_CHAR}:]|{_HEX})*@)?"
    rf"(?:\[(?:v[0-9A-Fa-f]+\.[{_CHAR}:]+|(?P<ipv6>[0-9A-Fa-f:.]+))\]|{_run(_CHAR)})"
    r"(?::[0-9]*+)?"
)
_SEGMENTS = _run(f"{_CHAR}:@/")
_PATH = rf"(?://{_AUTHORITY}(?:/{_SEGMENTS})?|(?!//){_SEGMENTS})"
_SCHEME = r"[A-Za-z][A-Za-z0-9+.-]*:"
_QUERY = rf"(?:\?{_run(f'{_CHAR}:@/?')})?"
_FRAGMENT = rf"(?:#{_run(f'{_CHAR}:@/?')})?"

# Without a scheme the first segment of a path holds no colon (path-noscheme).
_REFERENCE = re.compile(rf"(?:{_SCHEME}|(?![^/?#]*:)){_PATH}{_QUERY}{_FRAGMENT}")
_ABSOLUTE = re.compile(rf"{_SCHEME}{_PATH}{_QUERY}")


def is_uri_reference(text: str) -> bool:
    """Whether `text` is a URI-reference (section 4.1), the empty one included."""
    return _matches(_REFERENCE, text)


def is_absolute_uri(text: str) -> bool:
    """Whether `text` is an absolute URI (section 4.3): with a scheme, without a fragment."""
    return _matches(_ABSOLUTE, text)


def _matches(pattern: re.Pattern[str], text: str) -> bool:
    found = pattern.fullmatch(text)
    if found is None:
        return False
    address = found["ipv6"]
    if address is not None:
        try:
            IPv6Address(address)
        except AddressValueError:
            return False
    return True


# Normal form (section 6.2.2, and of section 6.2.3 the default port).
_PARTS = re.compile(
    r"(?:([^:/?#]+):)?(?://([^/?#]*))?([^?#]*)((?:\?[^#]*)?(?:#.*)?)", re.DOTALL
)  # scheme, authority, path, and the rest (appendix B)
_ESCAPE = re.compile("%([0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_DOTS = frozenset({".", ".."})
_DEFAULT_PORTS = {"http": "80", "https": "443"}


class Uri(NamedTuple):
    """The parts of a URI reference in normal form. `rest` is its query and fragment."""

    scheme: str | None
    authority: str | None
    path: str
    rest: str

    @property
    def text(self) -> str:
        """The reference in normal form."""
        scheme = "" if self.scheme is None else f"{self.scheme}:"
        authority = "" if self.authority is None else f"//{self.authority}"
        return f"{scheme}{authority}{self.path}{self.rest}"

    @property
    def steps(self) -> tuple[str | None, ...] | None:
        """The way to it: one reference lies under another if its steps begin with the other's.

        The segments of a path count as a whole, with `:` between them in an opaque one such as a
        URN, and a path is the same with and without a slash at its end. Query and fragment do not
        count. None for a path that leads from nowhere: a relative one, or an opaque one with dot
        segments.
        """
        path = self.path
        if path and not path.startswith("/"):
            if self.scheme is None or not _DOTS.isdisjoint(path.split("/")):
                return None
            return (self.scheme, None, ":", *path.rstrip(":").split(":"))
        segments = path.rstrip("/").split("/")[1:]
        return (self.scheme, self.authority, "/", *segments)


def normalise(text: str) -> Uri:
    """The parts of a valid URI reference in normal form.

    Small letters in scheme, host and URN namespace, capitals in percent-encoding, none where a
    character needs none, no dot segments, no port that the scheme implies.
    """
    # The pattern matches every text.
    scheme, authority, path, rest = cast("re.Match[str]", _PARTS.fullmatch(text)).groups()
    scheme = None if scheme is None else scheme.lower()
    if authority is not None:
        authority = _authority(authority, scheme)
    path = _decode(path)
    if path.startswith("/"):
        path = _without_dots(path)
    elif scheme == "urn":
        namespace, colon, name = path.partition(":")
        path = namespace.lower() + colon + name
    return Uri(scheme, authority, path, _decode(rest))


def _authority(text: str, scheme: str | None) -> str:
    user, at, rest = text.rpartition("@")
    host, port = rest, ""
    colon = rest.rfind(":")
    if colon > rest.rfind("]"):
        host, port = rest[:colon], rest[colon + 1 :]
    if port and port == _DEFAULT_PORTS.get(scheme or ""):
        port = ""
    host = _decode(_decode(host).lower())
    return f"{_decode(user)}{at}{host}{':' if port else ''}{port}"


def _decode(text: str) -> str:
    return _ESCAPE.sub(_decoded, text) if "%" in text else text


def _decoded(escape: re.Match[str]) -> str:
    character = chr(int(escape[1], 16))
    return character if character in _UNRESERVED else escape[0].upper()


def _without_dots(path: str) -> str:
    """The path, which begins with a slash, without dot segments (section 5.2.4)."""
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)

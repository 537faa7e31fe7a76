"""URI syntax (RFC 3986, appendix A), as CloudEvents asks for it: ASCII only, no leniency."""

import re
from ipaddress import AddressValueError, IPv6Address

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


def is_reference(text: str) -> bool:
    """Whether `text` is a URI-reference (section 4.1), the empty one included."""
    return _matches(_REFERENCE, text)


def is_absolute(text: str) -> bool:
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

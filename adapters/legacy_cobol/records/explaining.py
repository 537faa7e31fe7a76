"""Why a file does not divide into records of one length: the nearest explanation."""

from adapters.legacy_cobol.records.framing import FramingError

_SHOWN = 16


def explain_rest(length: int, data: bytes, at: int) -> FramingError:
    """The error for what is left at `at` behind whole records of that length."""
    rest = data[at:]
    problem = f"{len(rest)} bytes are left ({_shown(rest)}) behind whole records of {length} bytes"
    return FramingError(at, problem, _nearest(length, data, rest))


def _shown(rest: bytes) -> str:
    more = "..." if len(rest) > _SHOWN else ""
    return f"hex {rest[:_SHOWN].hex()}{more}"


def _nearest(length: int, data: bytes, rest: bytes) -> str:
    for ends, name in ((1, "line feeds"), (2, "carriage returns and line feeds")):
        step = length + ends
        if len(data) >= step and len(data) % step == 0 and data[step - 1 : step] in b"\n\x15\x25":
            return f"The size fits records of {length} bytes with {name} behind: declare lines"
    if len(data) >= 4 and int.from_bytes(data[:2]) in (length, length + 4) and data[2:4] == b"\0\0":
        return f"The file begins with {data[:4].hex()}, as record descriptors do: declare RDW"
    if set(rest) <= {0x1A} or rest in (b"\n", b"\r\n", b"\x15", b"\x25"):
        return f"The file ends with a mark of its own: declare a trailer of {len(rest)} bytes"
    if set(rest) <= {0x00} or set(rest) <= {0x40} or set(rest) <= {0x20}:
        return "They are padding of the last block: declare fixed blocks or a trailer"
    return (
        "The last record is cut off, or there is a header or trailer to declare, or the copybook "
        "is of another length"
    )

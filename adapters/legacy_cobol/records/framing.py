"""Framings: how records are separated in a file. They are declared, never guessed."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from adapters.legacy_cobol.copybook.kinds import ByteOrder


class FramingError(ValueError):
    """The file does not match the declared framing. `offset` is the first wrong byte."""

    def __init__(self, offset: int, problem: str, remedy: str) -> None:
        super().__init__(f"byte {offset}: {problem}. {remedy}.")
        self.offset = offset
        self.problem = problem
        self.remedy = remedy


class Rest(StrEnum):
    """What the bytes after the last item of a record may be, if all records have one length."""

    PADDING = "padding"  # blanks or X'00'
    ANY = "any"  # what an earlier record left there


@dataclass(frozen=True, slots=True)
class Fixed:
    """RECFM F: adjacent records of one length."""

    length: int
    rest: Rest = Rest.PADDING


@dataclass(frozen=True, slots=True)
class FixedBlocked:
    """Records of one length in blocks of `block` bytes; the rest of a block is padding.

    RECFM FB as file transfers deliver it has no padding: declare Fixed.
    """

    length: int
    block: int
    rest: Rest = Rest.PADDING


@dataclass(frozen=True, slots=True)
class Prefixed:
    """A descriptor word before each record. The defaults are IBM's RDW (RECFM V).

    `size` bytes at `at` of the `header` hold a length; the rest of the header is zero. The length
    includes the header if `counts_header`; `adjustment` is added to it. `spanned` records (RECFM
    VS, VBS) have the segment descriptors of IBM, of which only the byte order may differ.
    """

    header: int = 4
    at: int = 0
    size: int = 2
    order: ByteOrder = ByteOrder.BIG
    counts_header: bool = True
    adjustment: int = 0
    spanned: bool = False

    def length(self, descriptor: bytes) -> int:
        """The length of the record after the descriptor; negative if the descriptor is invalid."""
        value = int.from_bytes(descriptor[self.at : self.at + self.size], self.order.value)
        return value - self.header * self.counts_header + self.adjustment

    def descriptor(self, length: int) -> bytes:
        """The descriptor of a record. Raises OverflowError for a record that is too long."""
        value = length + self.header * self.counts_header - self.adjustment
        number = value.to_bytes(self.size, self.order.value)
        return bytes(self.at) + number + bytes(self.header - self.at - self.size)


@dataclass(frozen=True, slots=True)
class Blocked:
    """RECFM VB with BDWs: blocks of records with descriptor words.

    A BDW counts its own four bytes; with its first bit set, it is a length of 31 bits. `block` is
    the largest block to write.
    """

    records: Prefixed = Prefixed()
    order: ByteOrder = ByteOrder.BIG
    block: int = 32_760


@dataclass(frozen=True, slots=True)
class Lines:
    """LINE SEQUENTIAL. `trimmed` lines are records without their trailing blanks.

    `end` is 0A in ASCII files, 15 or 25 in EBCDIC ones; `carriage` allows 0D before it.
    """

    end: int = 0x0A
    trimmed: bool = True
    carriage: bool = True
    blank: int = 0x20


@dataclass(frozen=True, slots=True)
class SelfDelimiting:
    """No separators: the type and the counters of a record determine its length.

    `measure` takes bytes and an offset, and returns the length of the record there, or None if
    the bytes end too early. It raises FramingError with an offset relative to the bytes.
    """

    measure: Callable[[bytes, int], int | None]


Body = Fixed | FixedBlocked | Prefixed | Blocked | Lines | SelfDelimiting


@dataclass(frozen=True, slots=True)
class Framing:
    """A file: `head` bytes, records, `tail` bytes."""

    body: Body
    head: int = 0
    tail: int = 0


RDW = Prefixed()
SPANNED = Prefixed(spanned=True)
RDW_LITTLE = Prefixed(order=ByteOrder.LITTLE)
RDW_REVERSED = Prefixed(order=ByteOrder.LITTLE, at=2)  # the whole word in reverse order

# GnuCOBOL's runtime.cfg, COB_VARSEQ_FORMAT 0 to 3: the length is that of the data.
GNUCOBOL = (
    Prefixed(counts_header=False),
    Prefixed(size=4, counts_header=False),
    Prefixed(size=4, order=ByteOrder.LITTLE, counts_header=False),
    Prefixed(header=2, counts_header=False),
)

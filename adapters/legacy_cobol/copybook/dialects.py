"""The differences between compilers, as data."""

from dataclasses import dataclass

from adapters.legacy_cobol.copybook.kinds import ByteOrder, Encoding, FloatFormat, ZonedSigns

DigitTable = tuple[tuple[int, int], ...]
"""(most digits, bytes), ascending: the first large enough entry applies."""

_LONG_SIGNED: DigitTable = (
    (21, 9), (23, 10), (26, 11), (28, 12), (31, 13), (33, 14), (35, 15), (38, 16),
)  # fmt: skip
_LONG_UNSIGNED: DigitTable = (
    (19, 8), (21, 9), (24, 10), (26, 11), (28, 12), (31, 13), (33, 14), (36, 15), (38, 16),
)  # fmt: skip
TWO_FOUR_EIGHT: DigitTable = ((4, 2), (9, 4), (18, 8))
TWO_FOUR_EIGHT_SIXTEEN: DigitTable = (*TWO_FOUR_EIGHT, (38, 16))
LONGER = ((*TWO_FOUR_EIGHT, *_LONG_SIGNED), (*TWO_FOUR_EIGHT, *_LONG_UNSIGNED))
"""(signed, unsigned). Above 18 digits, where IBM has no COMP, as few bytes as hold the number."""
ONE_TWO_FOUR_EIGHT: DigitTable = ((2, 1), (4, 2), (9, 4), (18, 8), (38, 16))
_SIGNED_BYTES: DigitTable = (
    (2, 1), (4, 2), (6, 3), (9, 4), (11, 5), (14, 6), (16, 7), (18, 8),
)  # fmt: skip
_UNSIGNED_BYTES: DigitTable = (
    (2, 1), (4, 2), (7, 3), (9, 4), (12, 5), (14, 6), (16, 7), (19, 8),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Dialect:
    """A compiler with its default options. Use `dataclasses.replace` for other options.

    `aligned` are the boundaries of SYNCHRONIZED by the length of a binary item, `aligned_floats`
    those of COMP-1 and COMP-2; empty if the clause is a comment. `truncated` is TRUNC(STD): binary
    items hold no more digits than their pictures. `empty_tables`: a counter of 0 is a good one,
    also of OCCURS 1 TO. `slack_before_groups` says where
    slack bytes go if a group begins with such an item: before the group, or into it.
    `late_padding` is what GnuCOBOL does in a table: the bytes that keep occurrences aligned are
    before the last elementary item, not after it, and every group forgets the boundaries of the
    items before it. `slides` says whether items after an OCCURS DEPENDING ON table move with the
    count.
    """

    name: str
    signed_binary: DigitTable
    unsigned_binary: DigitTable
    aligned: tuple[tuple[int, int], ...]
    aligned_floats: tuple[tuple[int, int], ...]
    slack_before_groups: bool
    late_padding: bool
    slides: bool
    index_length: int
    pointer_length: int
    encoding: Encoding
    truncated: bool = True
    empty_tables: bool = False

    def binary_length(self, digits: int, *, signed: bool) -> int | None:
        """The length of COMP, COMP-4, COMP-5 and BINARY; None for too many digits."""
        table = self.signed_binary if signed else self.unsigned_binary
        return next((length for most, length in table if digits <= most), None)

    def boundary(self, length: int, *, floating: bool = False) -> int:
        """The boundary of a synchronized item of this length: its offset is a multiple."""
        return dict(self.aligned_floats if floating else self.aligned).get(length, 1)


IBM = Dialect(
    name="ibm",
    signed_binary=LONGER[0],
    unsigned_binary=LONGER[1],
    aligned=((2, 2), (4, 4), (8, 4)),
    aligned_floats=((4, 4), (8, 8)),
    slack_before_groups=True,
    late_padding=False,
    slides=True,
    index_length=4,
    pointer_length=4,
    encoding=Encoding(),
)
GNUCOBOL = Dialect(
    name="gnucobol",
    signed_binary=ONE_TWO_FOUR_EIGHT,
    unsigned_binary=ONE_TWO_FOUR_EIGHT,
    aligned=((2, 2), (4, 4), (8, 8), (16, 16)),
    aligned_floats=((4, 4), (8, 8)),
    slack_before_groups=False,
    late_padding=True,
    slides=False,
    index_length=4,
    pointer_length=8,
    encoding=Encoding(
        code_page="iso8859-1",
        zoned_signs=ZonedSigns.ASCII_LETTERS,
        native_order=ByteOrder.LITTLE,
        float_format=FloatFormat.IEEE,
    ),
)
MICRO_FOCUS = Dialect(
    name="microfocus",
    signed_binary=(*_SIGNED_BYTES, *_LONG_SIGNED),
    unsigned_binary=(*_UNSIGNED_BYTES, *_LONG_UNSIGNED[1:]),
    aligned=(),
    aligned_floats=(),
    slack_before_groups=False,
    late_padding=True,
    slides=False,
    index_length=4,
    pointer_length=4,
    encoding=Encoding(
        code_page="iso8859-1",
        zoned_signs=ZonedSigns.ASCII_LETTERS,
        native_order=ByteOrder.LITTLE,
        float_format=FloatFormat.IEEE,
    ),
)
DIALECTS = {each.name: each for each in (IBM, GNUCOBOL, MICRO_FOCUS)}
BYTEWISE = ((*_SIGNED_BYTES, (38, 16)), (*_UNSIGNED_BYTES, (38, 16)))
"""GnuCOBOL's -fbinary-size=1--8: (signed, unsigned)."""

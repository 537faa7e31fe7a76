"""Text words: the tokens of COBOL, which COPY REPLACING compares."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from adapters.legacy_cobol.copybook.source import Source


class WordKind(StrEnum):
    """The kind of a text word."""

    WORD = "word"  # a name, a reserved word or a number
    LITERAL = "literal"  # with its quotes and its prefix X or N
    PICTURE = "picture"
    PERIOD = "period"
    PSEUDO = "pseudo"  # pseudo-text: == ... ==
    MARK = "mark"  # ( ) : =


@dataclass(frozen=True, slots=True)
class Word:
    """A text word and its position in the source, `end` not included."""

    kind: WordKind
    text: str
    start: int
    end: int

    @property
    def upper(self) -> str:
        """The word for comparison; literals keep their case."""
        return self.text if self.kind is WordKind.LITERAL else self.text.upper()


_NEXT = re.compile(
    r"""(?P<blank>[\s]+|[,;](?=\s|$))
    |(?P<literal>(?:[XxNnZz]|[Nn][Xx])?(?:"(?:[^"\n]|"")*"|'(?:[^'\n]|'')*'))
    |(?P<pseudo>==.*?==)
    |(?P<period>\.(?=\s|$))
    |(?P<word>(?:[^\s()"':,;.=]|[.,;](?=[^\s,;]))+)
    |(?P<mark>.)""",
    re.VERBOSE | re.DOTALL,
)
_PICTURE = re.compile(r"[^\s:]*[^\s:.,;]")
_PICTURE_CHARACTERS = re.compile(r"(?:[XANUSVPZEGBCRD09*$+\-/.,€£¥]|\([0-9]+\))+", re.IGNORECASE)


def words(source: Source) -> Iterator[Word]:
    """The text words of a source. Raises CopybookError for a literal without an end."""
    index = 0
    picture_next = False
    text = source.text
    while index < len(text):
        found = _picture(text, index) if picture_next else None
        word = found or _word(source, index)
        index = word.end
        if not word.text.strip() and word.kind is WordKind.WORD:
            continue
        picture_next = word.upper in ("PIC", "PICTURE") or (picture_next and word.upper == "IS")
        yield word


def _picture(text: str, index: int) -> Word | None:
    """The picture that begins here; None if REPLACING has to complete it first."""
    match = _PICTURE.match(text, index)
    if match is None or not _PICTURE_CHARACTERS.fullmatch(match[0]):
        return None
    return Word(WordKind.PICTURE, match[0], index, match.end())


def _word(source: Source, index: int) -> Word:
    match = _NEXT.match(source.text, index)
    if match is None:  # the last alternative takes any character
        raise source.error(index, "unexpected text", "Correct the text at this position")
    kind = match.lastgroup or ""
    if kind == "mark" and match[0] in "\"'":
        raise source.error(
            index,
            "a literal has no end",
            f"Close it with {match[0]}, or continue it on the next line",
        )
    if kind == "blank":
        return Word(WordKind.WORD, " ", index, match.end())
    return Word(WordKind(kind), match[0], index, match.end())

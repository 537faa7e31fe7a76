"""Text words: what COPY REPLACING compares, and what entries are made of."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from adapters.legacy_cobol.copybook.source import Source


class WordKind(StrEnum):
    """What a text word is."""

    WORD = "word"  # a name, a reserved word or a number
    LITERAL = "literal"  # with its quotes, and its X or N in front
    PICTURE = "picture"
    PERIOD = "period"
    PSEUDO = "pseudo"  # what stands between == and ==
    MARK = "mark"  # ( ) : =


@dataclass(frozen=True, slots=True)
class Word:
    """A text word and where it stands in its source, `end` not included."""

    kind: WordKind
    text: str
    start: int
    end: int

    @property
    def upper(self) -> str:
        """As it is compared; literals keep their case."""
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
_PICTURE_CHARACTERS = re.compile(r"(?:[XANSVPZEGBCRD09*$+\-/.,€£¥]|\([0-9]+\))+", re.IGNORECASE)


def words(source: Source) -> Iterator[Word]:
    """The text words of a source. Raises CopybookError where a literal has no end."""
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
    """The picture that begins here, unless something in it is still to be replaced."""
    match = _PICTURE.match(text, index)
    if match is None or not _PICTURE_CHARACTERS.fullmatch(match[0]):
        return None
    return Word(WordKind.PICTURE, match[0], index, match.end())


def _word(source: Source, index: int) -> Word:
    match = _NEXT.match(source.text, index)
    if match is None:  # the last alternative takes any character
        raise source.error(index, "nothing can be read here", "Look at this place")
    kind = match.lastgroup or ""
    if kind == "mark" and match[0] in "\"'":
        raise source.error(
            index, "a literal has no end", f"Close it with {match[0]}, or continue it properly"
        )
    if kind == "blank":
        return Word(WordKind.WORD, " ", index, match.end())
    return Word(WordKind(kind), match[0], index, match.end())

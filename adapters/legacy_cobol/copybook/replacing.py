"""Replace words by other text: REPLACING in COPY, and the statement REPLACE."""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass

from adapters.legacy_cobol.copybook.source import Source
from adapters.legacy_cobol.copybook.words import Word, WordKind, words


@dataclass(frozen=True, slots=True)
class Replacing:
    """Words to find, and the text that replaces them.

    `part` is LEADING or TRAILING if a part of a word is replaced, else empty.
    """

    pattern: tuple[str, ...]
    text: str
    part: str = ""


class Splice:
    """Builds a source from parts of another one and inserted text."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.parts: list[str] = []
        self.origins = array("Q")

    def keep(self, start: int, end: int) -> None:
        self.put(self.source.text[start:end], self.source.origins[start:end])

    def put(self, text: str, origins: "array[int]") -> None:
        self.parts.append(text)
        self.origins.extend(origins)

    def finish(self, kept: int) -> Source:
        """The result, with the rest of the source from `kept` on."""
        self.keep(kept, len(self.source.text))
        return Source("".join(self.parts), self.origins, self.source.files)


def replacings(source: Source, at: Word, rest: list[Word]) -> Iterator[Replacing]:
    """The pairs ==a== BY ==b== in these words. Raises CopybookError."""
    while rest:
        part = rest.pop(0).upper if rest[0].upper in ("LEADING", "TRAILING") else ""
        if len(rest) < 3 or rest[1].upper != "BY":
            raise source.error(at.start, "words to replace without BY", "Write ==a== BY ==b==")
        yield Replacing(_pattern(source, rest[0]), _plain(rest[2]), part)
        del rest[:3]


def replaced_text(source: Source) -> Source:
    """The source after its REPLACE statements, each up to the next one. Raises CopybookError."""
    result = Splice(source)
    kept = 0
    active: list[Replacing] = []
    upcoming = words(source)
    for word in upcoming:
        if word.kind is not WordKind.WORD or word.upper != "REPLACE":
            continue
        _put(result, source, kept, word.start, active)
        listed = [each for each in _until_period(source, word, upcoming)]
        kept = listed.pop().end
        if [each.upper for each in listed] == ["OFF"]:
            active = []
        else:
            active = list(replacings(source, word, listed))
    if not kept:
        return source
    _put(result, source, kept, len(source.text), active)
    return result.finish(len(source.text))


def _put(result: "Splice", source: Source, start: int, end: int, active: list[Replacing]) -> None:
    part = Source(source.text[start:end], source.origins[start:end], source.files)
    new = replaced(part, active)
    result.put(new.text, new.origins)


def _until_period(source: Source, at: Word, upcoming: Iterator[Word]) -> Iterator[Word]:
    for word in upcoming:
        yield word
        if word.kind is WordKind.PERIOD:
            return
    raise source.error(at.start, "REPLACE without a period", "Write REPLACE ==a== BY ==b==.")


def _plain(word: Word) -> str:
    return word.text[2:-2].strip() if word.kind is WordKind.PSEUDO else word.text


def _pattern(source: Source, word: Word) -> tuple[str, ...]:
    text = _plain(word)
    inner = Source(text, source.origins[word.start : word.start + len(text)], source.files)
    pattern = tuple(each.upper for each in words(inner))
    if not pattern:
        raise source.error(word.start, "the text to replace is empty", "Put text between == and ==")
    return pattern


def replaced(source: Source, pairs: list[Replacing]) -> Source:
    """The source with all replacements."""
    if not pairs:
        return source
    result = Splice(source)
    listed = list(words(source))
    kept = position = 0
    while position < len(listed):
        start, end, text, taken = _match(listed, position, pairs)
        if taken:
            result.keep(kept, start)
            result.put(text, array("Q", [source.origins[start]]) * len(text))
            kept = end
        position += taken or 1
    return result.finish(kept)


def _match(listed: list[Word], position: int, pairs: list[Replacing]) -> tuple[int, int, str, int]:
    """The replacement at this word: start, end, new text, and how many words it covers."""
    word = listed[position]
    for each in pairs:
        size = len(each.pattern[0])
        if each.part == "LEADING" and word.upper.startswith(each.pattern[0]):
            return word.start, word.start + size, each.text, 1
        if each.part == "TRAILING" and word.upper.endswith(each.pattern[0]):
            return word.end - size, word.end, each.text, 1
        found = listed[position : position + len(each.pattern)]
        if not each.part and tuple(one.upper for one in found) == each.pattern:
            return word.start, found[-1].end, each.text, len(each.pattern)
    return 0, 0, "", 0

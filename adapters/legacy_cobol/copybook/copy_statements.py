"""COPY statements: insert other copybooks, and apply REPLACING."""

from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from adapters.legacy_cobol.copybook.layout import Notice
from adapters.legacy_cobol.copybook.source import LARGEST_SOURCE, Form, Source, read_source
from adapters.legacy_cobol.copybook.words import Word, WordKind, words

DEEPEST_COPY = 16
_SUFFIXES = ("", ".cpy", ".CPY", ".cbl", ".CBL", ".cob", ".COB", ".copy", ".inc")

Library = Callable[[str], tuple[str, str] | None]
"""Finds a copybook by its name: the file and its text, or None."""


def search_path(folders: Sequence[Path]) -> Library:
    """Look for copybooks in these folders, in order. Nothing outside of them is read."""

    def find(name: str) -> tuple[str, str] | None:
        for folder in folders:
            for spelling in dict.fromkeys((name, name.lower(), name.upper())):
                for suffix in _SUFFIXES:
                    file = folder / (spelling + suffix)
                    if file.is_file() and file.resolve().is_relative_to(folder.resolve()):
                        return str(file), text_of(file.read_bytes())
        return None

    return find


def text_of(content: bytes) -> str:
    """The text of a copybook file: UTF-8, else Latin-1, which only matters in comments."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content.decode("latin-1")


@dataclass(frozen=True, slots=True)
class _Replacing:
    """Words to find, and the text that replaces them.

    `part` is LEADING or TRAILING if a part of a word is replaced, else empty.
    """

    pattern: tuple[str, ...]
    text: str
    part: str = ""


class CopyExpander:
    """Expands the COPY statements of one copybook."""

    def __init__(self, library: Library, form: Form, files: list[str], notices: list[Notice]):
        self.library = library
        self.form = form
        self.files = files
        self.notices = notices
        self.copied = 0

    def expand(self, source: Source, trail: tuple[str, ...] = ()) -> Source:
        """The source with all COPY statements expanded. Raises CopybookError."""
        result = _Splice(source)
        kept = 0
        upcoming = words(source)
        for word in upcoming:
            if word.kind is WordKind.WORD and word.upper == "COPY":
                result.keep(kept, word.start)
                statement, kept = _statement(source, word, upcoming)
                copied = self._copied(source, statement, trail)
                result.put(copied.text, copied.origins)
        return result.finish(kept)

    def _copied(self, source: Source, statement: list[Word], trail: tuple[str, ...]) -> Source:
        name = _name(source, statement)
        at = statement[1].start
        if name in trail or len(trail) >= DEEPEST_COPY:
            raise source.error(at, f"{name} copies itself or copies too deeply", "Remove this COPY")
        found = self.library(name)
        if found is None:
            raise source.error(
                at, f"the copybook {name} was not found", "Put it into a folder of the search path"
            )
        self.copied += len(found[1])
        if self.copied > LARGEST_SOURCE:
            raise source.error(at, "the copied text is too large", "Copy less")
        self.files.append(found[0])
        copied = read_source(found[1], self.form, self.files, self.notices)
        replacings = list(_replacings(source, statement))
        return _replaced(self.expand(copied, (*trail, name)), replacings)


class _Splice:
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


def _statement(source: Source, copy: Word, upcoming: Iterator[Word]) -> tuple[list[Word], int]:
    """The words of a COPY statement without its period, and the index after it."""
    statement = [copy]
    for word in upcoming:
        if word.kind is WordKind.PERIOD:
            if len(statement) == 1:
                break
            return statement, word.end
        statement.append(word)
    raise source.error(copy.start, "COPY without a name or without a period", "Write COPY name.")


def _name(source: Source, statement: list[Word]) -> str:
    name = statement[1].text
    if statement[1].kind is WordKind.LITERAL:
        name = name[1:-1]
    if not name or any(part in ("..", "") for part in name.split("/")) or "\\" in name:
        raise source.error(
            statement[1].start,
            f"{name or 'nothing'} is not the name of a copybook",
            "Name a file in a folder of the search path",
        )
    return name


def _replacings(source: Source, statement: list[Word]) -> Iterator[_Replacing]:
    rest = statement[2:]
    if rest and rest[0].upper in ("OF", "IN"):
        rest = rest[2:]  # a library is a folder of the search path here
    rest = [word for word in rest if word.upper not in ("SUPPRESS", "PRINTING")]
    if not rest:
        return
    if rest.pop(0).upper != "REPLACING" or not rest:
        raise source.error(
            statement[1].start, "unexpected words after COPY", "Write COPY a REPLACING ..."
        )
    while rest:
        part = rest.pop(0).upper if rest[0].upper in ("LEADING", "TRAILING") else ""
        if len(rest) < 3 or rest[1].upper != "BY":
            raise source.error(statement[1].start, "REPLACING without BY", "Write ==a== BY ==b==")
        yield _Replacing(_pattern(source, rest[0]), _plain(rest[2]), part)
        del rest[:3]


def _plain(word: Word) -> str:
    return word.text[2:-2].strip() if word.kind is WordKind.PSEUDO else word.text


def _pattern(source: Source, word: Word) -> tuple[str, ...]:
    text = _plain(word)
    inner = Source(text, source.origins[word.start : word.start + len(text)], source.files)
    pattern = tuple(each.upper for each in words(inner))
    if not pattern:
        raise source.error(word.start, "the text to replace is empty", "Put text between == and ==")
    return pattern


def _replaced(source: Source, replacings: list[_Replacing]) -> Source:
    if not replacings:
        return source
    result = _Splice(source)
    listed = list(words(source))
    kept = position = 0
    while position < len(listed):
        start, end, text, taken = _match(listed, position, replacings)
        if taken:
            result.keep(kept, start)
            result.put(text, array("Q", [source.origins[start]]) * len(text))
            kept = end
        position += taken or 1
    return result.finish(kept)


def _match(
    listed: list[Word], position: int, replacings: list[_Replacing]
) -> tuple[int, int, str, int]:
    """The replacement at this word: start, end, new text, and how many words it covers."""
    word = listed[position]
    for each in replacings:
        size = len(each.pattern[0])
        if each.part == "LEADING" and word.upper.startswith(each.pattern[0]):
            return word.start, word.start + size, each.text, 1
        if each.part == "TRAILING" and word.upper.endswith(each.pattern[0]):
            return word.end - size, word.end, each.text, 1
        found = listed[position : position + len(each.pattern)]
        if not each.part and tuple(one.upper for one in found) == each.pattern:
            return word.start, found[-1].end, each.text, len(each.pattern)
    return 0, 0, "", 0

"""COPY statements: insert other copybooks, and apply REPLACING. EXEC SQL INCLUDE is one, too."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from adapters.legacy_cobol.copybook.layout import Notice
from adapters.legacy_cobol.copybook.replacing import Replacing, Splice, replaced, replacings
from adapters.legacy_cobol.copybook.source import LARGEST_SOURCE, Form, Source, read_source
from adapters.legacy_cobol.copybook.words import Word, WordKind, words

DEEPEST_COPY = 16
_AREAS = ("SQLCA", "SQLDA")  # of the database, not of a file
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


class CopyExpander:
    """Expands the COPY statements of one copybook."""

    def __init__(self, library: Library, form: Form, files: list[str], notices: list[Notice]):
        self.library = library
        self.form = form
        self.files = files
        self.notices = notices
        self.copied = 0
        self.lenient = False  # leave a COPY of an unknown copybook where it is

    def expand(self, source: Source, trail: tuple[str, ...] = ()) -> Source:
        """The source with all COPY statements expanded, and without EXEC. Raises CopybookError."""
        result = Splice(source)
        kept = 0
        upcoming = words(source)
        for word in upcoming:
            if word.kind is not WordKind.WORD or word.upper not in ("COPY", "EXEC", "EXECUTE"):
                continue
            result.keep(kept, word.start)
            if word.upper == "COPY":
                statement, kept = _statement(source, word, upcoming)
            else:
                statement, kept = _embedded(source, word, upcoming)
                statement = self._included(source, statement)
            if statement and self.lenient and self.library(_name(source, statement)) is None:
                result.keep(statement[0].start, kept)
            elif statement:
                copied = self._copied(source, statement, trail)
                result.put(copied.text, copied.origins)
        return result.finish(kept)

    def _included(self, source: Source, statement: list[Word]) -> list[Word]:
        """The words of EXEC SQL INCLUDE as those of COPY; none for another statement."""
        includes = len(statement) == 4 and statement[2].upper == "INCLUDE"
        if includes and statement[3].upper not in _AREAS:
            return statement[2:]
        where = source.where(statement[0].start)
        text = f"{' '.join(each.text for each in statement[:4])} ... is ignored"
        self.notices.append(Notice(where.file, where.line, where.column, text))
        return []

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
        return replaced(self.expand(copied, (*trail, name)), list(_replacings(source, statement)))


def _embedded(source: Source, exec_: Word, upcoming: Iterator[Word]) -> tuple[list[Word], int]:
    """The words of EXEC ... END-EXEC without its end, and the index after it and its period."""
    statement = [exec_]
    for word in upcoming:
        if word.upper == "END-EXEC":
            after = source.text[word.end :]
            blanks = len(after) - len(after.lstrip())
            return statement, word.end + (blanks + 1 if after[blanks : blanks + 1] == "." else 0)
        statement.append(word)
    raise source.error(exec_.start, "EXEC without END-EXEC", "End the statement, or remove it")


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


def _replacings(source: Source, statement: list[Word]) -> Iterator[Replacing]:
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
    yield from replacings(source, statement[1], rest)

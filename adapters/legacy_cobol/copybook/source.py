"""Source text in one of the reference formats, as characters that know their origin.

This module handles all that depends on columns: sequence numbers, indicators, comments, continued
lines and the right margin. Its result is free-form text.
"""

import re
from array import array
from dataclasses import dataclass, field
from enum import StrEnum

from adapters.legacy_cobol.copybook.errors import CopybookError, Where
from adapters.legacy_cobol.copybook.layout import Notice

LARGEST_SOURCE = 2_000_000  # characters, with copied text
_QUOTES = "\"'"
_INDICATOR = 6  # index of column 7
_CARD = re.compile(r"//|/\*|\./")  # of JCL and of library programs
_OPTIONS = re.compile(r" *(?:CBL|PROCESS)(?: |$)", re.IGNORECASE)  # of the compiler
_INCLUDED = re.compile(r"(?:\+\+INCLUDE|-INC) +(?P<name>[^\s.]+)", re.IGNORECASE)
_SWALLOWED = re.compile(r" *\d\d? +[A-Za-z]")  # an entry that begins too far left


class Form(StrEnum):
    """The reference format."""

    FIXED = "fixed"  # columns 8 to 72, indicator in 7
    VARIABLE = "variable"  # fixed without a right margin
    FREE = "free"

    @property
    def margin(self) -> int:
        """The last column of text."""
        return 72 if self is Form.FIXED else LARGEST_SOURCE


@dataclass(slots=True)
class Source:
    """Characters, and the file, line and column of each."""

    text: str = ""
    origins: "array[int]" = field(default_factory=lambda: array("Q"))
    files: list[str] = field(default_factory=list)  # shared by all sources of one copybook

    def where(self, index: int) -> Where:
        """The position of a character; after the end, that of the last one."""
        if not self.origins:
            return Where(self.files[0] if self.files else "", 1, 1)
        origin = self.origins[min(index, len(self.origins) - 1)]
        return Where(self.files[origin >> 48], (origin >> 24) & 0xFFFFFF, origin & 0xFFFFFF)

    def error(self, index: int, problem: str, remedy: str) -> CopybookError:
        """A CopybookError at a character, for the caller to raise."""
        return CopybookError(self.where(index), problem, remedy)


class _Collector:
    """Collects characters, and remembers an open literal."""

    def __init__(self, form: Form, files: list[str], notices: list[Notice]) -> None:
        self.form = form
        self.files = files
        self.number = len(files) - 1
        self.notices = notices
        self.characters: list[str] = []
        self.origins = array("Q")
        self.quote = ""
        self.filled = 0  # the column after the text of the last line
        self.line = 0
        self.early = False  # text begins in column 7

    def error(self, column: int, problem: str, remedy: str) -> CopybookError:
        return CopybookError(Where(self.files[self.number], self.line, column), problem, remedy)

    def notice(self, column: int, text: str) -> None:
        self.notices.append(Notice(self.files[self.number], self.line, column, text))

    def start(self, text: str, column: int) -> None:
        """Add a new line."""
        self.quote = ""
        self._append("\n", column)
        self._put(text, column)

    def join(self, text: str, column: int) -> None:
        """Add a continuation line. Raises CopybookError if it cannot continue."""
        stripped = text.lstrip(" ")
        column += len(text) - len(stripped)
        last = self.characters[-1] if self.characters else ""
        doubled = last in _QUOTES and stripped.startswith(last * 2)
        if not self.quote and doubled and self.filled > self.form.margin:
            stripped, column = stripped[1:], column + 1  # the second half of a doubled quote
        elif not self.quote:
            while self.characters and self.characters[-1] == " ":
                self.characters.pop()
                self.origins.pop()
        elif stripped.startswith(self.quote):
            if self.form is Form.FIXED:
                for padding in range(self.filled, self.form.margin + 1):
                    self._append(" ", padding)
            stripped = stripped[1:]
            column += 1
        else:
            raise self.error(
                column,
                f"a literal is continued without {self.quote}",
                f"Begin the continued literal with {self.quote}, or close it on the line before",
            )
        self._put(stripped, column)

    def _put(self, text: str, column: int) -> None:
        for index, character in enumerate(text):
            if self.quote:
                self.quote = "" if character == self.quote else self.quote
            elif character in _QUOTES:
                self.quote = character
            elif text.startswith("*>", index):
                return
            self._append(character, column + index)
        self.filled = column + len(text)

    def _append(self, character: str, column: int) -> None:
        self.characters.append(character)
        self.origins.append(self.number << 48 | self.line << 24 | column)

    def finish(self) -> Source:
        return Source("".join(self.characters), self.origins, self.files)


def read_source(text: str, form: Form, files: list[str], notices: list[Notice]) -> Source:
    """Read the text of the last of these files. Raises CopybookError."""
    collector = _Collector(form, files, notices)
    if len(text) > LARGEST_SOURCE:
        raise collector.error(1, f"{len(text)} characters are too many", "Split the copybook")
    unified = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").rstrip("\x1a")
    for number, line in enumerate(unified.split("\n"), 1):
        collector.line = number
        expanded = line.expandtabs(8).rstrip()
        _check_characters(expanded, collector)
        if _is_card(expanded, collector):
            continue
        if expanded.lstrip().startswith(">>"):
            collector.form = _directive(expanded, collector)
        elif collector.form is Form.FREE:
            collector.start(expanded, 1)
        else:
            _columns(expanded, collector)
    return collector.finish()


def _check_characters(line: str, collector: _Collector) -> None:
    for index, character in enumerate(line):
        if character < " " or character == "\x7f":
            raise collector.error(
                index + 1,
                f"control character, hex {ord(character):02X}, in the source text",
                "Transfer the copybook as text, or delete the character",
            )


def _is_card(line: str, collector: _Collector) -> bool:
    """Whether a line is for other programs than the compiler. A library's include is a COPY."""
    included = _INCLUDED.match(line)
    if included is not None:
        collector.start(f"COPY {included['name']}.", 1)
        return True
    first = not any(map(str.strip, collector.characters))
    if _CARD.match(line) or (first and _OPTIONS.match(line)):
        collector.notice(1, f"the card {line.split()[0]} is ignored")
        return True
    return False


def _directive(line: str, collector: _Collector) -> Form:
    words = line.upper().replace(">>", " ").split()
    if words[:1] == ["SOURCE"] and words[-1] in ("FREE", "FIXED", "VARIABLE"):
        return Form(words[-1].lower())
    raise collector.error(
        line.index(">>") + 1,
        f"the compiler directive {line.strip()} is not supported",
        "Remove it, or give the text that the compiler would see",
    )


def _columns(line: str, collector: _Collector) -> None:
    """Read a line of fixed form: sequence number, indicator, text."""
    if _SWALLOWED.match(line[:_INDICATOR]):
        raise collector.error(
            1, "text in columns 1 to 6, which fixed form ignores", "Choose the free form"
        )
    indicator = line[_INDICATOR : _INDICATOR + 1].upper()
    text = line[_INDICATOR + 1 : collector.form.margin]
    if _begins_early(line, indicator):
        _start_early(line, collector)
    elif indicator in ("*", "/", "D") or (indicator in ("", " ") and text.startswith("*")):
        return
    elif indicator == "$":
        collector.notice(_INDICATOR + 1, f"the directive ${text.rstrip()} is ignored")
    elif indicator == "-":
        collector.join(text, _INDICATOR + 2)
    elif indicator in ("", " "):
        _check_margin(line, collector)
        if text.strip():
            collector.start(text, _INDICATOR + 2)
    else:
        raise collector.error(
            _INDICATOR + 1,
            f"{indicator} in column 7 is not an indicator",
            "In fixed form, text begins in column 8. For other text choose the free form",
        )


def _begins_early(line: str, indicator: str) -> bool:
    """Whether text begins in column 7. A D before a letter begins a word, not a debugging line."""
    if line[:_INDICATOR].strip() or not indicator.isalnum():
        return False
    return indicator != "D" or line[_INDICATOR + 1 : _INDICATOR + 2].isalpha()


def _start_early(line: str, collector: _Collector) -> None:
    if not collector.early:
        collector.notice(_INDICATOR + 1, "text begins in column 7, that of the indicator")
    collector.early = True
    _check_margin(line, collector)
    collector.start(line[_INDICATOR : collector.form.margin], _INDICATOR + 1)


def _check_margin(line: str, collector: _Collector) -> None:
    margin = collector.form.margin
    inside, outside = line[margin - 1 : margin], line[margin : margin + 1]
    if inside.strip() and outside.strip() and not line.lstrip().startswith("*>"):
        collector.notice(margin + 1, f"text after column 72 is ignored: {line[margin:].rstrip()}")

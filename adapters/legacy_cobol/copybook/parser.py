"""Parse a copybook: from its text to its records."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from adapters.legacy_cobol.copybook.clauses import read_entry
from adapters.legacy_cobol.copybook.copy_statements import CopyExpander, search_path, text_of
from adapters.legacy_cobol.copybook.dialects import IBM, Dialect
from adapters.legacy_cobol.copybook.elementary import CopybookContext
from adapters.legacy_cobol.copybook.entries import Cursor, Entry, sentences
from adapters.legacy_cobol.copybook.errors import CopybookError
from adapters.legacy_cobol.copybook.layout import Copybook, Notice
from adapters.legacy_cobol.copybook.picture import SpecialNames
from adapters.legacy_cobol.copybook.positions import lay_out_records, left_out
from adapters.legacy_cobol.copybook.programs import data_division
from adapters.legacy_cobol.copybook.replacing import replaced_text
from adapters.legacy_cobol.copybook.source import Form, Source, read_source

_IMPLIED = "RECORD"
_RECORD_LEVELS = ("01", "1", "77")


@dataclass(frozen=True, slots=True)
class CopybookOptions:
    """How to parse a copybook. Nothing is guessed from the text.

    COPY searches `folders`.
    """

    dialect: Dialect = IBM
    form: Form = Form.FIXED
    decimal_comma: bool = False
    currency: str = "$"
    folders: Sequence[Path] = ()


def read_copybook(
    text: str, *, file: str = "copybook", options: CopybookOptions | None = None
) -> Copybook:
    """The records of a copybook. `file` is its name in errors and notices.

    Raises CopybookError.
    """
    options = options or CopybookOptions()
    notices: list[Notice] = []
    files = [file]
    source = read_source(text, options.form, files, notices)
    whole = source
    source, special_names = data_division(
        source, SpecialNames(options.decimal_comma, options.currency), notices
    )
    program = source is not whole
    copier = CopyExpander(search_path(options.folders), options.form, files, notices)
    copier.lenient = program
    expanded = replaced_text(copier.expand(source))
    entries = _RecordReader(expanded, special_names, notices, program=program).read()
    context = CopybookContext(expanded, options.dialect, special_names)
    records = lay_out_records(entries, context, notices, lenient=program)
    return Copybook(records, tuple(notices))


def read_copybook_file(file: Path, options: CopybookOptions | None = None) -> Copybook:
    """The records of a copybook file. Raises CopybookError and OSError."""
    return read_copybook(text_of(file.read_bytes()), file=str(file), options=options)


class _RecordReader:
    """Reads the entries of level 01 and 77, with all others below them.

    Of a whole `program`, a record that cannot be read is left out with a notice: it may be none of
    the file.
    """

    def __init__(
        self, source: Source, special_names: SpecialNames, notices: list[Notice], *, program: bool
    ) -> None:
        self.records: list[Entry] = []
        self._branch: list[Entry] = []  # from the record down to the last entry
        self._source = source
        self._special_names = special_names
        self._notices = notices
        self._program = program
        self._lost = False  # entries belong to a record that is left out

    def read(self) -> list[Entry]:
        """The records. Raises CopybookError."""
        for cursor in sentences(self._source, self._notices):
            begins = cursor.listed[0].text in _RECORD_LEVELS
            self._lost = self._lost and not (begins or cursor.first)
            self._branch = [] if cursor.first else self._branch
            if self._lost:
                continue
            try:
                self._add(cursor)
            except CopybookError as error:
                if not self._program:
                    raise
                self._leave_out(error, begins=begins)
        if not self.records:
            raise self._source.error(
                0, "no data description entry", "Give a copybook with a level 01"
            )
        return self.records

    def _leave_out(self, error: CopybookError, *, begins: bool) -> None:
        self._lost = True
        name = "a record"
        if not begins and self._branch:
            name = self.records.pop().name or name
        self._branch = []
        self._notices.append(left_out(name, error))

    def _add(self, cursor: Cursor) -> None:
        branch = self._branch
        if self._program and cursor.upper == "COPY":
            cursor.take("COPY")
            raise cursor.error(
                cursor.take("a name"), "its copybook was not found", "Put it beside the layout"
            )
        entry = read_entry(cursor, self._special_names)
        if entry.level == 88:
            _add_condition(entry, branch, cursor)
        elif entry.level == 66:
            _add_renames(entry, branch, cursor)
        elif entry.level in (1, 77):
            self._branch = [entry]
            self.records.append(entry)
        else:
            if not branch or branch[0].level == 77:
                self._branch = branch = [_implied(entry, self._source, self._notices)]
                self.records.append(branch[0])
            _add_child(entry, branch, cursor)


def _implied(entry: Entry, source: Source, notices: list[Notice]) -> Entry:
    where = source.where(entry.at.start)
    text = f"no level 01 before this entry: a record named {_IMPLIED} is added above it"
    notices.append(Notice(where.file, where.line, where.column, text))
    return Entry(1, _IMPLIED, entry.at)


def _add_child(entry: Entry, branch: list[Entry], cursor: Cursor) -> None:
    while branch[-1].level >= entry.level:
        branch.pop()
    above = branch[-1]
    if above.picture is not None:
        raise cursor.error(
            entry.at,
            f"an item below {above.name or 'FILLER'}, which has a PICTURE",
            "Correct the level number, or remove the PICTURE of the group",
        )
    above.children.append(entry)
    branch.append(entry)


def _add_condition(entry: Entry, branch: list[Entry], cursor: Cursor) -> None:
    if not branch:
        raise cursor.error(entry.at, "level 88 without an item", "Put it after its item")
    if not entry.ranges:
        raise cursor.error(entry.at, "level 88 without VALUE", "Give it at least one value")
    branch[-1].conditions.append(entry)


def _add_renames(entry: Entry, branch: list[Entry], cursor: Cursor) -> None:
    if not branch or not entry.renames:
        raise cursor.error(
            entry.at, "level 66 needs RENAMES and a record above it", "Write 66 A RENAMES B THRU C"
        )
    branch[0].others.append(entry)

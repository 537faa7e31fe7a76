"""The way in: from the text of a copybook to its records."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from adapters.legacy_cobol.copybook.copy_statements import CopyExpander, search_path, text_of
from adapters.legacy_cobol.copybook.dialects import IBM, Dialect
from adapters.legacy_cobol.copybook.elementary import CopybookContext
from adapters.legacy_cobol.copybook.hierarchy import read_records
from adapters.legacy_cobol.copybook.layout import Copybook, Notice
from adapters.legacy_cobol.copybook.picture import SpecialNames
from adapters.legacy_cobol.copybook.positions import lay_out_records
from adapters.legacy_cobol.copybook.source import Form, read_source


@dataclass(frozen=True, slots=True)
class CopybookOptions:
    """How a copybook is to be understood. Nothing of it is found out by looking at the text.

    `folders` is where COPY looks.
    """

    dialect: Dialect = IBM
    form: Form = Form.FIXED
    decimal_comma: bool = False
    currency: str = "$"
    folders: Sequence[Path] = ()


def read_copybook(
    text: str, *, file: str = "copybook", options: CopybookOptions | None = None
) -> Copybook:
    """The records of a copybook. `file` is what errors and notices call it.

    Raises CopybookError, with the place and what to do about it.
    """
    options = options or CopybookOptions()
    notices: list[Notice] = []
    files = [file]
    source = read_source(text, options.form, files, notices)
    copier = CopyExpander(search_path(options.folders), options.form, files, notices)
    whole = copier.expand(source)
    special_names = SpecialNames(options.decimal_comma, options.currency)
    entries = read_records(whole, special_names, notices)
    records = lay_out_records(
        entries, CopybookContext(whole, options.dialect, special_names), notices
    )
    return Copybook(records, tuple(notices))


def read_copybook_file(file: Path, options: CopybookOptions | None = None) -> Copybook:
    """The records of a copybook file. Raises CopybookError and OSError."""
    return read_copybook(text_of(file.read_bytes()), file=str(file), options=options)

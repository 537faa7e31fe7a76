"""Copybooks for tests, in free form and of IBM's dialect unless told otherwise."""

from dataclasses import replace

import pytest

from adapters.legacy_cobol.copybook.errors import CopybookError
from adapters.legacy_cobol.copybook.kinds import Kind
from adapters.legacy_cobol.copybook.layout import Copybook, Item, Record
from adapters.legacy_cobol.copybook.parser import CopybookOptions, read_copybook
from adapters.legacy_cobol.copybook.source import Form

FREE = CopybookOptions(form=Form.FREE)


def copybook(text: str, options: CopybookOptions = FREE) -> Copybook:
    """What the text says."""
    return read_copybook(text, options=options)


def record(text: str, options: CopybookOptions = FREE) -> Record:
    """The only record of the text; entries without an 01 get one."""
    begins = text.lstrip().startswith(("01", "77"))
    (only,) = copybook(text if begins else f"01 R. {text}", options).records
    return only


def item(clauses: str, options: CopybookOptions = FREE) -> Item:
    """One elementary item with these clauses."""
    return record(f"05 A {clauses}.", options).find("A")


def kind(clauses: str, options: CopybookOptions = FREE) -> Kind:
    """The kind of an elementary item with these clauses."""
    found = item(clauses, options).kind
    assert found is not None
    return found


def positions(of: Record) -> dict[str, tuple[int, int]]:
    """Offset and length of each item."""
    return {each.name: (each.offset, each.length) for each in of.items()}


def refused(text: str, options: CopybookOptions = FREE) -> CopybookError:
    """Why the text is refused."""
    with pytest.raises(CopybookError) as caught:
        read_copybook(text, options=options)
    return caught.value


def with_form(form: Form) -> CopybookOptions:
    """Options for text in this form."""
    return replace(FREE, form=form)

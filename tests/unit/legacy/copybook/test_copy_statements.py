"""COPY, with words replaced."""

from dataclasses import replace
from pathlib import Path

import pytest

from adapters.legacy_cobol.copybook.parser import read_copybook_file
from tests.unit.legacy.copybook.reading import FREE, copybook, refused


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "part.cpy").write_text("05 :TAG:-A PIC X(:LEN:).\n05 OLD-B PIC X.\n05 X PIC X.\n")
    (tmp_path / "OUTER.CPY").write_text("03 G. COPY PART REPLACING ==:LEN:== BY ==2==.\n")
    (tmp_path / "LOOP.CPY").write_text("05 A PIC X. COPY LOOP.\n")
    (tmp_path / "bad.cpy").write_text("05 A PIC X.\n05 B PIC ?.\n")
    return tmp_path


def names(text: str, folder: Path) -> list[str]:
    (found,) = copybook(text, replace(FREE, folders=[folder])).records
    return [each.name for each in found.items()]


REPLACING = {
    "==:TAG:== BY ==NEW== ==:LEN:== BY ==5==": ["R", "NEW-A", "OLD-B", "X"],
    "==:TAG:== BY NEW, ==:len:== BY 5, OLD-B BY OTHER": ["R", "NEW-A", "OTHER", "X"],
    "==:TAG:== BY NEW ==:LEN:== BY 5 LEADING ==OLD== BY ==FRESH==": [
        "R", "NEW-A", "FRESH-B", "X",
    ],
    "==:TAG:== BY NEW ==:LEN:== BY 5 TRAILING ==-B== BY ==-C==": ["R", "NEW-A", "OLD-C", "X"],
    "==:TAG:== BY NEW ==:LEN:== BY 5 ==OLD-B PIC  x== BY ==Y PIC 99==": ["R", "NEW-A", "Y", "X"],
    "==:TAG:== BY NEW ==:LEN:== BY 5 ==05 X PIC X.== BY ====": ["R", "NEW-A", "OLD-B"],
}  # fmt: skip


@pytest.mark.parametrize("replacing", REPLACING)
def test_words_are_replaced(folder: Path, replacing: str) -> None:
    assert names(f"01 R. COPY PART REPLACING {replacing}.", folder) == REPLACING[replacing]


def test_a_replaced_length_counts(folder: Path) -> None:
    text = "01 R. COPY 'part' OF LIB SUPPRESS REPLACING ==:TAG:== BY N ==:LEN:== BY ==12==."
    (found,) = copybook(text, replace(FREE, folders=[folder])).records
    assert found.find("N-A").length == 12


def test_copies_copy_and_text_goes_on_behind(folder: Path) -> None:
    text = "01 R. COPY OUTER REPLACING ==:TAG:== BY T. 05 LAST PIC X."
    assert names(text, folder) == ["R", "G", "T-A", "OLD-B", "X", "LAST"]


def test_a_mistake_is_shown_in_the_copied_file(folder: Path) -> None:
    wrong = refused("01 R.\nCOPY BAD.", replace(FREE, folders=[folder]))
    assert str(wrong.where) == f"{folder / 'bad.cpy'}:2:10"


@pytest.mark.parametrize(
    "text", ["COPY LOOP.", "COPY NONE.", "COPY.", "COPY PART", "COPY PART REPLACING A BY.",
             "COPY PART REPLACING ==== BY ==A==.", "COPY PART BY THE WAY.",
             "COPY '../part'.", "COPY '/etc/passwd'.", "COPY ''."]
)  # fmt: skip
def test_what_cannot_be_copied(folder: Path, text: str) -> None:
    wrong = refused(f"01 R.\n  {text}", replace(FREE, folders=[folder / "."]))
    assert wrong.where.line <= 2
    assert wrong.remedy


def test_a_link_out_of_the_search_path_is_not_followed(folder: Path, tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "LINK.CPY").symlink_to(folder / "part.cpy")
    assert "not found" in refused("COPY LINK.", replace(FREE, folders=[inside])).problem


def test_a_file_is_read_in_any_code(tmp_path: Path) -> None:
    file = tmp_path / "latin.cpy"
    file.write_bytes("01 A PIC X(3). *> Größe".encode("latin-1"))
    assert read_copybook_file(file, FREE).record("A").maximum_length == 3

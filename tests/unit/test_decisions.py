"""The pages of decisions are numbered, each once."""

from pathlib import Path

PAGES = sorted((Path(__file__).resolve().parents[2] / "docs/decisions").glob("[0-9]*.md"))


def test_each_decision_has_a_number_of_its_own() -> None:
    numbers = [page.name[:4] for page in PAGES]
    assert len(set(numbers)) == len(numbers)
    assert [page.read_text().split()[1] for page in PAGES] == numbers

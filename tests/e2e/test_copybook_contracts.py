"""A copybook instead of a JSON Schema: registered, versioned and compared like any other."""

import shutil
from pathlib import Path

import pytest

from adapters.cli.exits import Exit
from tests.builders import a_document, write_contract
from tests.bus import Actor, Bus
from tests.e2e.conftest import Command
from tests.problems import problem_of

TYPE = "id.go.uji.ramuan.diberikan.v1"
COPYBOOK = "01 OBAT. 05 NOMOR PIC X(9). 05 DOSIS PIC 9(3). 05 HARGA PIC S9(7)V99 COMP-3."
WIDER = COPYBOOK.replace("X(9)", "X(12)")
LAYOUT = 'copybook = "obat.cpy"\nform = "free"\n[framing]\nkind = "fixed"\n'
ANNOTATIONS = '[schema]\ntitle = "Medicine"\n[members.nomor]\ndescription = "Of the medicine."\n'
GOOD = {"nomor": "N-1", "dosis": 3, "harga": "12.50"}
EXAMPLES = {
    "examples/valid/empty": GOOD,
    "examples/invalid/array": {
        "reason": "too much", "keyword": "maximum", "pointer": "/dosis",
        "data": {**GOOD, "dosis": 1000},
    },
}  # fmt: skip


@pytest.fixture
def uji(bus: Bus) -> Actor:
    """An administrator."""
    return bus.actor("uji", "admin")


def write_version(place: Path, number: int, copybook: str = COPYBOOK) -> Path:
    """A version that is a copybook."""
    folder = place / "versions" / str(number)
    folder.mkdir(parents=True)
    (folder / "obat.cpy").write_text(copybook)
    (folder / "layout.toml").write_text(LAYOUT)
    (folder / "annotations.toml").write_text(ANNOTATIONS)
    return folder


def test_a_copybook_is_a_version(bus: Bus, nusabus: Command, tmp_path: Path) -> None:
    place = write_contract(tmp_path, TYPE, **{"versions/1": None, **EXAMPLES})
    first = write_version(place, 1)
    assert nusabus("contracts", "apply", tmp_path, "-y")[0] == Exit.OK
    assert nusabus("contracts", "plan", tmp_path, "--check")[0] == Exit.OK
    publisher = bus.actor("uji")
    publisher.published(type=TYPE, data=GOOD)
    refused = publisher.publish(a_document(type=TYPE, data={**GOOD, "harga": "12.5"}))
    problem_of(refused, 422, "contract-violation")

    write_version(place, 2, WIDER)
    code, out, _ = nusabus("contracts", "plan", tmp_path, "--check")
    assert (code, "compatible (backward, strict)" in out) == (Exit.CHANGES, True)
    assert nusabus("contracts", "apply", tmp_path, "-y")[0] == Exit.OK

    for changed in ("X(8)", "X(12). 05 BARU PIC X"):
        third = write_version(place, 3, WIDER.replace("X(12)", changed))
        code, out, _ = nusabus("contracts", "plan", tmp_path, "--check")
        assert (code, "incompatible with version 2" in out) == (Exit.BREAKING, True), changed
        shutil.rmtree(third)

    assert nusabus("contracts", "pull", tmp_path)[0] == Exit.OK  # writes what was derived, too
    assert nusabus("contracts", "plan", tmp_path, "--check")[0] == Exit.OK
    (first / "obat.cpy").write_text(COPYBOOK.replace("X(9)", "X(7)"))
    code, _, err = nusabus("contracts", "plan", tmp_path)
    assert (code, "differs from the schema of the copybook in 1/" in err) == (Exit.ERROR, True)


@pytest.mark.parametrize(
    ("file", "content", "printed"),
    [
        ("obat.cpy", COPYBOOK.replace("X(9)", "Q(9)"), "obat.cpy:1:"),
        ("layout.toml", 'copybook = "none.cpy"', "none.cpy"),
        ("layout.toml", "copybook = ", "layout.toml"),
        ("annotations.toml", "[members.lain]\ntitle = 'X'", "no member lain"),
        ("annotations.toml", 'record = "lain"', "'lain' does not become an event: obat do"),
        ("annotations.toml", "colour = 1", "unknown key colour"),
    ],
)
def test_a_broken_copybook_is_told(
    nusabus: Command, tmp_path: Path, file: str, content: str, printed: str
) -> None:
    place = write_contract(tmp_path, TYPE, **{"versions/1": None, **EXAMPLES})
    (write_version(place, 1) / file).write_text(content)
    code, _, err = nusabus("contracts", "plan", tmp_path)
    assert (code, printed in err) == (Exit.ERROR, True), err

"""Contracts as files: read whole, or refused with the file's name."""

from pathlib import Path
from typing import Any

import pytest

from gateway.base.errors import Invalid
from gateway.contracts import Classification, Pattern, admit, owners, submissions
from tests.builders import FREE, QUESTION, write_contract, write_contracts


def test_a_folder_is_read_whole(tmp_path: Path) -> None:
    write_contracts(tmp_path)
    found = {each.contract.type: each for each in submissions(tmp_path)}
    assert {owner.name for owner in owners(tmp_path)} == {"uji", "lain"}
    free = found[FREE]
    assert free.contract.pattern is Pattern.PUBLISH_SUBSCRIBE
    assert free.contract.classification is Classification.PUBLIC
    assert [version.number for version in free.versions] == [1]
    assert (dict(free.valid), free.invalid[0].data) == ({"empty": {}}, [])
    assert found[QUESTION].versions[0].reply is not None
    for each in found.values():
        admit(each)


def test_versions_count_from_one(tmp_path: Path) -> None:
    files: dict[str, Any] = {"versions/2": {}, "versions/3": {}}
    write_contract(tmp_path, **files)
    (found,) = submissions(tmp_path)
    assert [version.number for version in found.versions] == [1, 2, 3]


@pytest.mark.parametrize(
    ("files", "named"),
    [
        ({"contract": "{"}, "contract.json"),
        ({"contract": "[]"}, "contract.json"),
        ({"contract": '{"type":1,"type":2}'}, "contract.json"),
        ({"contract": {"pattern": "broadcast"}}, "contract.json"),
        ({"contract": {"classification": 7}}, "contract.json.*/classification"),
        ({"contract": {"ordering": "subject"}}, "contract.json.*/ordering"),
        ({"contract": {"title": None}}, "contract.json.*/title"),
        ({"contract": {"owner": "lain"}}, "contract.json.*folders"),
        ({"contract": {"type": "id.go.uji.lain.dicatat.v1"}}, "contract.json.*folders"),
        ({"versions/1": None}, "versions.*1, 2, 3"),
        ({"versions/3": {}}, "versions.*1, 2, 3"),
        ({"examples/valid/broken": "{"}, "broken.json"),
        ({"examples/invalid/broken": {"reason": "x"}}, "broken.json"),
        (
            {"examples/invalid/broken": {"data": 1, "reason": 1, "keyword": "", "pointer": ""}},
            "broken.json.*/reason",
        ),
    ],
    ids=str,
)
def test_what_is_broken_is_named(tmp_path: Path, files: dict[str, Any], named: str) -> None:
    write_contract(tmp_path, **files)
    with pytest.raises(Invalid, match=named):
        list(submissions(tmp_path))


def test_an_organisation_without_a_title_is_named(tmp_path: Path) -> None:
    write_contract(tmp_path)
    (tmp_path / "uji" / "organisation.json").write_text('{"name":"uji"}')
    with pytest.raises(Invalid, match=r"organisation\.json.*title"):
        list(owners(tmp_path))

"""A defect is logged once with its trace, and tells nothing of what it was about."""

import json
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.base import defects
from gateway.base.defects import kind_of, report_defect
from gateway.base.telemetry import METRICS

NIK = "3273" + "011203900001"


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(defects, "_logged", set())


def fail(text: str) -> Exception:
    try:
        int(text)
    except ValueError as error:
        return error
    raise AssertionError


def count(work: str) -> float:
    return METRICS.get_sample_value("nusabus_defects_total", {"work": work}) or 0


def test_it_is_logged_once_and_counted_each_time() -> None:
    with capture_logs() as logs:
        for number in range(5):
            report_defect("uji.satu", fail(f"{NIK}x{number}"), subscription="s")
    (line,) = logs
    assert (line["event"], line["work"], line["error"], line["subscription"]) == (
        "defect.found",
        "uji.satu",
        "ValueError",
        "s",
    )
    assert [each.partition(" ")[2] for each in line["trace"]] == ["fail"]
    assert line["trace"][0].startswith("tests/unit/base/test_defects.py:")
    assert count("uji.satu") == 5
    assert NIK not in json.dumps(line)


def test_the_same_error_elsewhere_or_in_other_work_is_another_one() -> None:
    with capture_logs() as logs:
        report_defect("uji.dua", fail("x"))
        report_defect("uji.tiga", fail("x"))
        report_defect("uji.tiga", KeyError("x"))
    assert [(line["work"], line["error"]) for line in logs] == [
        ("uji.dua", "ValueError"),
        ("uji.tiga", "ValueError"),
        ("uji.tiga", "KeyError"),
    ]


def test_a_group_is_what_is_in_it() -> None:
    group: Any = ExceptionGroup(NIK, [ExceptionGroup("x", [fail(NIK + "x")]), KeyError(NIK)])
    with capture_logs() as logs:
        report_defect("uji.empat", group)
    assert [line["error"] for line in logs] == ["ValueError", "KeyError"]
    assert kind_of(group) == "ValueError"
    assert NIK not in json.dumps(logs)


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(defects, "REMEMBERED", 3)
    with capture_logs():
        for number in range(10):
            report_defect(f"uji.{number}", KeyError())
    assert len(defects._logged) <= 3

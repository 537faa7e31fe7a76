"""What people see: problems with what to do, and never a command to their terminal."""

import httpx
import pytest

from adapters.cli import failures
from adapters.cli.app import run
from adapters.cli.exits import Exit, Failure
from adapters.client import Problem
from tests.unit.client_gateway import a_problem

VIOLATION = {"pointer": "/nik", "keyword": "type", "message": "is not of type [string]"}


def printed(capsys: pytest.CaptureFixture[str], error: Exception) -> list[str]:
    failures.fail(error)
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err.splitlines()


def test_a_problem_is_told_with_its_places(capsys: pytest.CaptureFixture[str]) -> None:
    answer = a_problem(422, "contract-violation", pointer="/data", violations=[VIOLATION])
    assert printed(capsys, Problem.answered(answer)) == [
        "Contract-violation (422 contract-violation)",
        "  Do something else.",
        "  at /data",
        "  /nik is not of type [string]",
    ]


def test_other_errors(capsys: pytest.CaptureFixture[str]) -> None:
    away = httpx.ConnectError("refused")
    assert printed(capsys, away) == ["Cannot reach the gateway: refused"]
    assert printed(capsys, Failure("say --yes")) == ["Error: say --yes"]
    assert printed(capsys, FileNotFoundError(2, "No such file", "x")) == [
        "Error: [Errno 2] No such file: 'x'"
    ]
    with pytest.raises(ZeroDivisionError):
        failures.fail(ZeroDivisionError())


def test_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    failures.fail(Failure("say --yes"), as_json=True)
    assert capsys.readouterr().out == (
        '{\n  "error": {\n    "title": "Failure",\n    "detail": "say --yes"\n  }\n}\n'
    )


def test_text_of_others_commands_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    assert printed(capsys, Failure("\x1b[2J[red]x[/red]\r\x9b31m")) == [
        "Error: �[2J[red]x[/red]��31m"
    ]


@pytest.mark.parametrize(
    "line", [["nonsense"], ["contracts", "plan"], ["contracts", "show", "x", "--as", "poem"]]
)
def test_a_wrong_command_line_is_an_error(
    line: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(line) == Exit.ERROR
    assert "Usage: nusabus" in capsys.readouterr().err


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == Exit.OK
    assert "contracts" in capsys.readouterr().out
    assert run(["--version"]) == Exit.OK
    assert capsys.readouterr().out.startswith("nusabus ")


def test_without_credentials(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: object
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name in ("URL", "CLIENT_ID", "CLIENT_SECRET"):
        monkeypatch.delenv(f"NUSABUS_{name}", raising=False)
    assert run(["contracts", "list"]) == Exit.ERROR
    assert "set NUSABUS_URL" in capsys.readouterr().err

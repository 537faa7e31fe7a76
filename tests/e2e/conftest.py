"""The `nusabus` command, run in this process."""

import io
import sys
from collections.abc import Callable

import pytest

from adapters.cli.app import run
from tests.bus import Actor, Bus

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def uji(bus: Bus) -> Actor:
    return bus.actor("uji")


@pytest.fixture
def nusabus(
    uji: Actor, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Runs `nusabus ...`; what was given as `stdin` is its input."""
    monkeypatch.setenv("NUSABUS_URL", str(uji.bus.http.base_url))
    monkeypatch.setenv("NUSABUS_CLIENT_ID", uji.id)
    monkeypatch.setenv("NUSABUS_CLIENT_SECRET", uji.secret)
    monkeypatch.setenv("COLUMNS", "200")

    def command(*arguments: object, stdin: bytes = b"") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = run([str(each) for each in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return command

"""`nusabus quotas` against a gateway: show, set, remove."""

import json
from collections.abc import Iterator

import pytest

from adapters.cli.exits import Exit
from tests.bus import Actor, Bus
from tests.e2e.conftest import Command

ORGANISATION = "lain"


@pytest.fixture
def as_operator(nusabus: Command, bus: Bus, monkeypatch: pytest.MonkeyPatch) -> Iterator[Command]:
    """The command, with the credentials of the operator's administrator; no quota stays set."""
    monkeypatch.setenv("NUSABUS_CLIENT_ID", bus.admin.id)
    monkeypatch.setenv("NUSABUS_CLIENT_SECRET", bus.admin.secret)
    yield nusabus
    path = f"/v1/organisations/{ORGANISATION}/quotas"
    bus.admin.call("PUT", path, json={}, headers={"if-match": "*"}).raise_for_status()


def test_quotas_are_set_shown_and_removed(as_operator: Command, bus: Bus) -> None:
    lain = bus.actor(ORGANISATION)
    code, out, err = as_operator("quotas", "set", ORGANISATION, "streams=7", "events=900")
    assert (code, err) == (Exit.OK, "")
    assert json.loads(out) == {"quotas": {"events": 900, "streams": 7}, "clients": {}}
    code, out, _ = as_operator("quotas", "set", ORGANISATION, "streams=3", "--client", lain.id)
    assert json.loads(out)["clients"] == {lain.id: {"streams": 3}}
    shown = as_operator("quotas", "show", ORGANISATION)[1]
    lines = [line.split() for line in shown.splitlines()]
    assert ["streams", "7", "(set)", "0", "0"] in lines
    assert ["streams", lain.id, "3", "(set)", "0", "0"] in lines
    assert any(line[0] == "grants" and "(set)" not in line for line in lines)
    found = json.loads(as_operator("quotas", "show", ORGANISATION, "--json")[1])
    assert found["quotas"] == {"events": 900, "streams": 7}
    assert {"quota", "limit", "used", "refused"} <= set(found["usage"][0])
    out = as_operator("quotas", "remove", ORGANISATION, "events")[1]
    assert json.loads(out)["quotas"] == {"streams": 7}
    out = as_operator("quotas", "remove", ORGANISATION, "--all", "--client", lain.id)[1]
    assert json.loads(out) == {"quotas": {"streams": 7}, "clients": {}}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (("set", ORGANISATION, "events"), "Write NAME=VALUE"),
        (("set", ORGANISATION, "events=-1"), "Write NAME=VALUE"),
        (("set", ORGANISATION, "events=0"), "greater than or equal to 1"),
        (("set", ORGANISATION, "sedekah=1"), "Extra inputs are not permitted"),
        (("set", "../clients", "events=1"), "404"),
        (("remove", ORGANISATION), "or use --all"),
        (("remove", ORGANISATION, "streams", "--all"), "or use --all"),
        (("remove", ORGANISATION, "streams"), "Not set: streams. Set are: none."),
        (("set", ORGANISATION, "events=1", "--client", "nusabus-x"), "client"),
    ],
)
def test_what_is_wrong_is_said(as_operator: Command, line: tuple[str, ...], said: str) -> None:
    code, out, err = as_operator("quotas", *line)
    assert (code, out) == (Exit.ERROR, "")
    assert said in err


def test_only_the_operator_sets_them(nusabus: Command, uji: Actor) -> None:
    code, _, err = nusabus("quotas", "set", "uji", "events=1")
    assert code == Exit.ERROR
    assert "403" in err
    code, out, _ = nusabus("quotas", "show", "uji")
    assert (code, "events" in out) == (Exit.OK, True)


def test_help_names_the_commands(nusabus: Command) -> None:
    code, out, _ = nusabus("quotas", "--help")
    assert code == Exit.OK
    assert all(word in out for word in ("show", "set", "remove"))

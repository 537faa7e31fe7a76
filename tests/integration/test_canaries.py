"""Personal data that go in by every way come out nowhere but where the event itself may be read."""

import io
import json
import sys
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiormq.exceptions import AMQPError

from adapters.cli.app import run
from adapters.cli.exits import Exit
from tests import canaries
from tests.builders import CITIZEN, FREE, a_citizen
from tests.bus import Actor, MakeBus
from tests.canaries import NUMBERS, SPELLINGS, everything, in_url
from tests.integration.canary_planting import (
    ASKED,
    PULLED,
    VALUES,
    Planted,
    an_event,
    in_bodies,
    in_contracts,
    in_deliveries,
    in_refusals,
    in_requests,
    in_urls,
)
from tests.integration.test_requests_forged import publish
from tests.integration.webhook.conftest import PERMISSIVE, hooked
from tests.servers import METRICS_TOKEN, SECRET_KEY

Command = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def planted(make_bus: MakeBus) -> Iterator[Planted]:
    settings = {**PERMISSIVE, "NUSABUS_DEAD_LETTER_ALERT_HOURS": "0.0001"}
    with make_bus(**settings) as bus:
        bus.run("api", "relay", "deliver")
        bus.grant("lain", "publish", ASKED)
        bus.grant("lain", "publish", PULLED)
        found = Planted(bus)
        for plant in (in_deliveries, in_refusals, in_urls, in_bodies, in_contracts, in_requests):
            plant(found)
        yield found


def pages(actor: Actor, path: str, **query: Any) -> str:
    """All pages of a list as text."""
    text, cursor = "", None
    while True:
        asked = {**query, "limit": 200, **({"cursor": cursor} if cursor else {})}
        answer = actor.get(path, params=asked).raise_for_status()
        text += json.dumps(answer.json()["items"], ensure_ascii=False, indent=0)
        cursor = answer.json()["next"]
        if cursor is None:
            return text


def test_errors_hold_none(planted: Planted) -> None:
    leaks = {}
    for each in planted.answers:
        shown = each.text + json.dumps(dict(each.headers))
        # The text of a schema is its author's, who publishes it: there numbers alone are masked.
        names = not each.request.url.path.startswith("/v1/contracts")
        if each.status_code >= 400 and (found := canaries.found_in(shown, names=names)):
            leaks[f"{each.request.method} {each.request.url.path[:60]} {each.text[:300]}"] = found
    assert len(planted.answers) > 500
    assert [f"{found} {shown}" for shown, found in leaks.items()] == []


def test_logs_hold_none(planted: Planted) -> None:
    assert canaries.where(planted.bus.logs()) == []


def test_logs_hold_no_secret(planted: Planted) -> None:
    bus = planted.bus
    uji = bus.actor("uji")
    hook = hooked(uji, "http://127.0.0.1:9/", FREE)["name"]
    signing = uji.post(f"/v1/subscriptions/{hook}/secrets").raise_for_status().json()
    subscribed = uji.subscribe(FREE)
    made = bus.admin.post(f"/v1/clients/{uji.id}/secrets").raise_for_status().json()
    password = urlsplit(subscribed.url).password
    with pytest.raises(AMQPError):
        publish(subscribed.url.replace(str(password), made["secret"]), "", "x")
    known = {
        *(by.secret for by in (uji, bus.admin, bus.actor("lain"))),
        *(by.headers["authorization"].split()[1] for by in (uji, bus.admin)),
        *(str(value) for value in signing.values() if str(value).startswith("whs")),
        *(made["secret"], str(password), SECRET_KEY, METRICS_TOKEN),
    }
    wrong = {"authorization": f"Bearer {made['secret']}"}
    for path in ("/v1/events", f"/v1/subscriptions/{made['secret']}", f"/{made['secret']}"):
        planted.answers.append(bus.http.get(path, headers=wrong, params={"cursor": made["secret"]}))
        assert made["secret"] not in planted.answers[-1].text
    bus.http.post("/oauth/token", data={"client_id": uji.id, "client_secret": made["secret"] + "x"})
    assert len(known) >= 9
    said = bus.logs() + bus.metrics()
    assert [each for each in known if each in said] == []


def test_metrics_hold_none(planted: Planted) -> None:
    assert canaries.where(planted.bus.metrics()) == []


@pytest.mark.parametrize(
    ("organisation", "roles"),
    [("nusabus", ("admin",)), ("nusabus", ("auditor",)), ("uji", ("admin",))],
    ids=str,
)
def test_who_may_not_read_events_sees_none(
    planted: Planted, organisation: str, roles: tuple[str, ...]
) -> None:
    reader = planted.bus.actor(organisation, *roles)
    assert canaries.where(pages(reader, "/v1/refusals")) == []
    assert canaries.where(pages(reader, "/v1/dead-letters")) == []
    for number in planted.numbers:
        answer = reader.get(f"/v1/dead-letters/{number}").raise_for_status()
        assert canaries.found_in(answer.text) == [], answer.text
    for shard, sequence in planted.positions:
        for path in (f"/v1/events/{shard}/{sequence}", f"/v1/events/{shard}/{sequence}/deliveries"):
            assert canaries.found_in(reader.get(path).text) == []
    assert canaries.where(pages(reader, "/v1/redrives")) == []


def test_what_is_marked_is_shown_to_nobody(planted: Planted) -> None:
    uji = planted.bus.actor("uji")
    for number in planted.numbers:
        shown = uji.get(f"/v1/dead-letters/{number}").raise_for_status().json()
        if shown["type"] == CITIZEN:
            assert canaries.found_in(json.dumps(shown["data"])) == []


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs `nusabus ...` as an actor; its exit code, and all that it prints."""

    def run_as(actor: Actor, *line: object, stdin: str = "") -> tuple[int, str]:
        monkeypatch.setenv("NUSABUS_URL", str(actor.bus.http.base_url))
        monkeypatch.setenv("NUSABUS_CLIENT_ID", actor.id)
        monkeypatch.setenv("NUSABUS_CLIENT_SECRET", actor.secret)
        monkeypatch.setenv("COLUMNS", "500")
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        code = run([str(each) for each in line])
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return run_as


@pytest.mark.parametrize(
    ("organisation", "roles"),
    [("nusabus", ("admin",)), ("nusabus", ("auditor",)), ("uji", ("admin",))],
    ids=str,
)
def test_the_command_line_shows_none_to_who_may_not_read_events(
    planted: Planted, command: Command, organisation: str, roles: tuple[str, ...]
) -> None:
    reader = planted.bus.actor(organisation, *roles)
    lines: list[tuple[object, ...]] = [("quotas", "show", "uji"), ("dead-letters", "list")]
    lines += [("dead-letters", "show", number) for number in planted.numbers]
    for line in lines:
        for more in ((), ("--json",)) if line[-1] not in planted.numbers else ((),):
            code, said = command(reader, *line, *more)
            assert code == Exit.OK, said
            assert canaries.where(said) == [], line


def test_what_is_wrong_is_said_on_the_command_line_without_them(
    planted: Planted, command: Command
) -> None:
    uji = planted.bus.actor("uji")
    about = ("--source", "/uji", "--data", "-")
    citizen = json.dumps(a_citizen(nik=SPELLINGS["nik with dots"], nomor=[everything()]))
    named = json.dumps({everything(): 1})
    whole = json.dumps(an_event(source=f"/lain/{in_url(everything())}"))
    for line, text in (
        (("publish", CITIZEN, *about), citizen),
        (("publish", CITIZEN, *about), named),
        (("publish", FREE, *about), named[:-1]),
        (("publish", FREE, *about), everything()),
        (("publish", "--event", "-"), whole),
        (("publish", "--event", "-"), whole[:-1]),
        (("publish", "--event", "-"), json.dumps(an_event(time=everything()))),
        (("requests", "ask", ASKED, *about), named),
        (("contracts", "validate", CITIZEN, "-"), citizen),
    ):
        for more in ((), ("--json",)):
            code, said = command(uji, *line, *more, stdin=text)
            assert code != Exit.OK, said
            assert canaries.where(said) == [], line


def test_the_search_finds_what_it_should() -> None:
    for text in VALUES:
        for form in (text, in_url(text), json.dumps({"a": text}), text.encode().hex()):
            assert canaries.found_in(form), form
    assert canaries.found_in(NUMBERS["nik"].encode("cp037").hex())
    assert canaries.found_in("2026-11-28T21:28:19Z 4c1b8bd5a8f1b1fd1a7b6f4e9f0a2c3d") == []

"""Rights, sealing and throttling, without a database."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr

from gateway.base.errors import Forbidden, NotAuthenticated
from gateway.base.sealing import WrongSecretKey, purpose_key, seal, unseal
from gateway.http.context import bearer
from gateway.identity import (
    Client,
    ClientSecret,
    ClientState,
    Directory,
    Grant,
    GrantAction,
    Organisation,
    OrganisationSuspended,
    Rights,
    Role,
    policy,
)
from gateway.identity.credentials import network_of

CREATED = datetime(2024, 1, 1, tzinfo=UTC)
PUBLISH, SUBSCRIBE = GrantAction.PUBLISH, GrantAction.SUBSCRIBE
KTP = "id.go.dukcapil.ktp.dibuat.v1"
NIK = "id.go.dukcapil.nik.berubah.v1"
A_SECRET = ClientSecret("5f0c2a9d1e77", b"", CREATED)
SECRET = SecretStr("one secret key that is only for tests")


def a_client(
    *roles: Role,
    organisation: str = "dukcapil",
    state: ClientState = ClientState.ACTIVE,
    operator: bool = False,
) -> Client:
    return Client(
        f"{organisation}-1", organisation, "A client", frozenset(roles), state, operator, CREATED
    )


def a_directory(
    *grants: tuple[str, GrantAction, str], client: Client | None = None, suspended: bool = False
) -> Directory:
    rights: dict[str, Rights] = {}
    for number, (name, action, type) in enumerate(grants):
        given = Grant(str(number), name, action, type, "nusabus-admin", CREATED)
        rights[name] = Rights((*rights.get(name, Rights()).grants, given))
    clients = {client.id: client} if client else {}
    since = CREATED if suspended else None
    organisations = {"dukcapil": Organisation("dukcapil", "", "", False, CREATED, since, "Uji.")}
    return Directory(organisations, clients, rights, (), {each: (A_SECRET,) for each in clients})


@pytest.mark.parametrize(
    ("client", "grants", "expected"),
    [
        (a_client(Role.PUBLISHER), [], True),
        (a_client(), [], False),
        (a_client(Role.ADMIN, Role.SUBSCRIBER, Role.AUDITOR), [], False),
        (a_client(Role.PUBLISHER, organisation="bps"), [], False),
        (a_client(Role.PUBLISHER, organisation="nusabus", operator=True), [], False),
        (a_client(Role.PUBLISHER, organisation="bps"), [("bps", PUBLISH, KTP)], True),
        (a_client(Role.SUBSCRIBER, organisation="bps"), [("bps", PUBLISH, KTP)], False),
        (
            a_client(Role.PUBLISHER, organisation="bps"),
            [("bps", SUBSCRIBE, KTP)],
            False,
        ),
        (a_client(Role.PUBLISHER, organisation="bps"), [("bps", PUBLISH, NIK)], False),
        (a_client(Role.PUBLISHER, organisation="bps"), [("bmkg", PUBLISH, KTP)], False),
        (
            a_client(Role.PUBLISHER, organisation="bps"),
            [
                ("bps", PUBLISH, NIK),
                ("bps", PUBLISH, "id.go.dukcapil.ktp.*"),
            ],
            True,
        ),
    ],
)
def test_who_may_publish(
    client: Client, grants: list[tuple[str, GrantAction, str]], expected: bool
) -> None:
    assert a_directory(*grants).may_publish(client, KTP, "dukcapil") is expected


@pytest.mark.parametrize(
    ("organisation", "types", "expected"),
    [
        ("dukcapil", "id.go.dukcapil.*", True),
        ("dukcapil", KTP, True),
        ("dukcapil", "id.go.*", False),
        ("dukcapil", "id.go.*.ktp.dibuat.v1", False),
        ("bps", "id.go.dukcapil.ktp.*", True),
        ("bps", KTP, True),
        ("bps", NIK, False),
        ("bps", "id.go.dukcapil.*", False),
        ("bmkg", KTP, False),
    ],
)
def test_who_may_receive(organisation: str, types: str, expected: bool) -> None:
    directory = a_directory(
        ("bps", SUBSCRIBE, "id.go.dukcapil.ktp.*"),
        ("bps", SUBSCRIBE, "id.go.bmkg.*"),
        ("bmkg", PUBLISH, "id.go.*"),
    )
    assert directory.may_receive(organisation, types) is expected


def test_a_caller_is_active_and_has_its_secret() -> None:
    active, disabled = a_client(), a_client(state=ClientState.DISABLED)
    assert a_directory(client=active).caller(active.id, A_SECRET.id) is active
    assert a_directory(client=active).caller(active.id, "another") is None
    assert a_directory(client=disabled).caller(disabled.id, A_SECRET.id) is None
    assert a_directory(client=disabled).client(disabled.id) is disabled
    assert a_directory().caller("unknown", A_SECRET.id) is None


def test_a_client_of_a_suspended_organisation_is_refused_with_the_reason() -> None:
    client = a_client()
    directory = a_directory(client=client, suspended=True)
    assert directory.suspended == {"dukcapil"}
    assert directory.caller(client.id, "another") is None  # the reason is for its clients alone
    with pytest.raises(OrganisationSuspended, match=r"dukcapil is suspended .*Uji\."):
        directory.caller(client.id, A_SECRET.id)


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("::1", "::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("a name", "a name"),
    ],
)
def test_attempts_are_counted_by_the_network_of_a_host(address: str, counted: str) -> None:
    assert network_of(address) == counted


def test_roles_imply_nothing() -> None:
    for held in Role:
        for asked in Role:
            assert a_client(held).has(asked) is (held is asked)
    with pytest.raises(Forbidden):
        a_client(Role.ADMIN).require(Role.AUDITOR, Role.PUBLISHER)
    with pytest.raises(Forbidden):
        policy.require_operator(a_client(Role.ADMIN), Role.ADMIN)
    policy.require_operator(a_client(Role.ADMIN, operator=True), Role.ADMIN)


ADMIN, AUDITOR = a_client(Role.ADMIN), a_client(Role.AUDITOR)
PUBLISHER, SUBSCRIBER = a_client(Role.PUBLISHER), a_client(Role.SUBSCRIBER)
OVERSEERS = [a_client(role, operator=True) for role in (Role.ADMIN, Role.AUDITOR)]
OPERATORS_PUBLISHER = a_client(Role.PUBLISHER, organisation="nusabus", operator=True)


def test_administrators_and_auditors_of_the_operator_see_what_is_of_every_organisation() -> None:
    for each in OVERSEERS:
        assert policy.visible_organisation(each) is None
        assert policy.visible_deliveries(each, "bps") is None
        assert policy.visible_dead_letters(each) == (None, None)
        assert policy.may_see_dead_letter(each, subscriber="bps", publisher=None)
    for each in (ADMIN, AUDITOR, PUBLISHER, SUBSCRIBER):
        assert policy.visible_organisation(each) == "dukcapil"
        assert policy.visible_deliveries(each, "bps") == "dukcapil"
        assert policy.visible_deliveries(each, "dukcapil") is None
        assert not policy.may_see_dead_letter(each, subscriber="bps", publisher="bmkg")
    assert policy.visible_organisation(OPERATORS_PUBLISHER) == "nusabus"


def test_dead_letters_are_seen_on_the_side_of_the_role_and_settled_by_their_subscriber() -> None:
    assert policy.visible_dead_letters(SUBSCRIBER) == ("dukcapil", "")
    assert policy.visible_dead_letters(PUBLISHER) == ("", "dukcapil")
    assert policy.visible_dead_letters(AUDITOR) == ("dukcapil", "dukcapil")
    assert policy.may_see_dead_letter(PUBLISHER, subscriber="bps", publisher="dukcapil")
    assert not policy.may_see_dead_letter(SUBSCRIBER, subscriber="bps", publisher="dukcapil")
    assert policy.may_settle_dead_letter(SUBSCRIBER, "dukcapil")
    assert not policy.may_settle_dead_letter(SUBSCRIBER, "bps")
    administrator, auditor = OVERSEERS
    assert policy.may_settle_dead_letter(administrator, "bps")
    assert not policy.may_settle_dead_letter(auditor, "bps")


def test_who_may_know_of_an_event_and_who_may_read_it() -> None:
    assert policy.may_audit_events_of(AUDITOR, "dukcapil")
    assert not policy.may_audit_events_of(AUDITOR, "bps")
    assert policy.may_audit_events_of(OVERSEERS[1], "bps")
    assert not policy.may_audit_events_of(OVERSEERS[0], "bps")
    assert policy.may_read_events_of(PUBLISHER, "dukcapil")
    assert not policy.may_read_events_of(SUBSCRIBER, "dukcapil")
    assert not policy.may_read_events_of(PUBLISHER, "bps")
    for sides in (
        {"responder": "bps", "requester": "dukcapil"},
        {"responder": "dukcapil", "requester": "bps"},
    ):
        assert policy.may_read_reply(SUBSCRIBER, **sides)
        assert not policy.may_read_reply(ADMIN, **sides)
    assert not policy.may_read_reply(SUBSCRIBER, responder="bps", requester="bmkg")
    assert [policy.audits_bus(each) for each in (AUDITOR, *OVERSEERS)] == [False, False, True]


def test_administrators_and_auditors_act_on_their_own_organisation_or_the_operators_on_all() -> (
    None
):
    policy.require_administrator_of(ADMIN, "dukcapil")
    policy.require_administrator_of(OVERSEERS[0], "bps")
    policy.require_auditor_of(AUDITOR, "dukcapil")
    refused: list[tuple[Callable[[Client, str], None], Client, str]] = [
        (policy.require_administrator_of, AUDITOR, "dukcapil"),
        (policy.require_administrator_of, ADMIN, "bps"),
        (policy.require_auditor_of, SUBSCRIBER, "dukcapil"),
        (policy.require_auditor_of, AUDITOR, "bps"),
    ]
    for require, client, owner in refused:
        with pytest.raises(Forbidden):
            require(client, owner)
    assert policy.may_grant(ADMIN, "id.go.dukcapil.*")
    assert not policy.may_grant(ADMIN, "id.go.*")
    assert policy.may_grant(OVERSEERS[0], "id.go.*")


def test_a_correction_needs_the_role_publisher() -> None:
    policy.require_corrector(PUBLISHER)
    with pytest.raises(Forbidden):
        policy.require_corrector(SUBSCRIBER)


def test_what_is_sealed_opens_with_exactly_the_same() -> None:
    sealed = seal(SECRET, "purpose", "name", b"content")
    assert unseal(SECRET, "purpose", "name", sealed) == b"content"
    assert seal(SECRET, "purpose", "name", b"content") != sealed
    for secret, purpose, name, content in [
        (SecretStr("another secret key, also for tests"), "purpose", "name", sealed),
        (SECRET, "another", "name", sealed),
        (SECRET, "purpose", "another", sealed),
        (SECRET, "purpose", "name", sealed[:-1] + bytes([sealed[-1] ^ 1])),
    ]:
        with pytest.raises(WrongSecretKey, match="NUSABUS_SECRET_KEY"):
            unseal(secret, purpose, name, content)


def test_each_purpose_has_a_key_of_its_own() -> None:
    assert purpose_key(SECRET, "a") != purpose_key(SECRET, "b")
    assert len(purpose_key(SECRET, "a")) == 32


@pytest.mark.parametrize(
    ("header", "token"),
    [("Bearer abc", "abc"), ("bearer  abc ", "abc"), ("BEARER abc", "abc"), ("Bearer", "")],
)
def test_a_bearer_header(header: str, token: str) -> None:
    assert bearer(header) == token


@pytest.mark.parametrize("header", [None, "", "Basic abc", "Bearerabc", " Bearer abc"])
def test_no_bearer_header(header: str | None) -> None:
    with pytest.raises(NotAuthenticated):
        bearer(header)

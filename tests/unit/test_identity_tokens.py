"""Tokens: what is ours and in force passes, everything else gets one and the same answer."""

import json
from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws

from gateway.base.errors import NotAuthenticated, Unavailable
from gateway.identity import Directory, KeyState, SigningKey, Tokens
from gateway.identity.tokens import SKEW
from tests.unit.forged_tokens import (
    ACTIVE,
    ATTACKS,
    CLIENT,
    NEXT,
    NOW,
    SECRET,
    SETTINGS,
    signed,
)


def a_directory(*keys: SigningKey) -> Directory:
    """A directory that holds only signing keys."""
    return Directory({}, {}, {}, keys)


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self) -> None:
        self.time = float(NOW)

    def __call__(self) -> float:
        return self.time


class Issuer:
    """Tokens with a clock and a directory that a test may change."""

    def __init__(self, remembered: int = 100) -> None:
        self.clock = Clock()
        self.directory = a_directory(ACTIVE, NEXT)
        self.tokens = Tokens(
            SETTINGS, lambda: self.directory, now=self.clock, remembered=remembered
        )

    def refuses(self, token: str | bytes) -> bool:
        """Whether the token is refused, with the one answer that all of them get."""
        with pytest.raises(NotAuthenticated) as caught:
            self.tokens.verify(token)
        return str(caught.value) == (
            "Authentication required. Send a valid access token as `Authorization: Bearer`."
        )


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_refused(issuer: Issuer, name: str) -> None:
    assert issuer.refuses(ATTACKS[name]())


def test_the_attacks_fail_for_their_own_reason(issuer: Issuer) -> None:
    """Without this, an attack made wrongly would prove nothing."""
    assert issuer.tokens.verify(signed()).client == CLIENT.id
    assert issuer.tokens.verify(signed(key=NEXT)).client == CLIENT.id
    assert issuer.tokens.verify(signed(claims={"nbf": NOW + 5, "exp": NOW + 1})).client == CLIENT.id


@given(st.data())
def test_a_token_with_one_byte_changed_is_refused(data: st.DataObject) -> None:
    issuer = Issuer()
    token = bytearray(issuer.tokens.issue(CLIENT, SECRET).encode())
    # The last character carries two bits that no decoder looks at.
    place = data.draw(st.integers(0, len(token) - 2))
    token[place] ^= data.draw(st.integers(1, 255))
    assert issuer.refuses(bytes(token))


@given(st.binary(max_size=200))
def test_garbage_is_refused(garbage: bytes) -> None:
    assert Issuer().refuses(garbage)


def test_a_token_names_its_client_until_it_expires(issuer: Issuer) -> None:
    token = issuer.tokens.issue(CLIENT, SECRET)
    assert issuer.tokens.verify(token).client == CLIENT.id
    assert issuer.tokens.verify(token.encode()).client == CLIENT.id
    issuer.clock.time += SETTINGS.token_seconds - 0.5
    assert issuer.tokens.verify(token).client == CLIENT.id
    issuer.clock.time += 0.5
    assert issuer.refuses(token)
    assert issuer.refuses(token)


def test_a_token_says_who_and_for_whom(issuer: Issuer) -> None:
    first, second = (
        json.loads(jws.extract_compact(issuer.tokens.issue(CLIENT, SECRET).encode()).payload)
        for _ in range(2)
    )
    assert first.pop("jti") != second.pop("jti")
    assert first == {
        "iss": SETTINGS.url,
        "aud": SETTINGS.url,
        "sub": CLIENT.id,
        "client_id": CLIENT.id,
        "org": "dukcapil",
        "credential_id": SECRET,
        "client_secret_id": SECRET,
        "iat": NOW,
        "nbf": NOW,
        "exp": NOW + 600,
    }


def test_a_token_of_the_version_before_names_its_credential_as_well(issuer: Issuer) -> None:
    former = signed(claims={"client_secret_id": "4d1c"}, without="credential_id")
    assert issuer.tokens.verify(former).credential == "4d1c"
    both = signed(claims={"client_secret_id": "4d1c"})
    assert issuer.tokens.verify(both).credential == SECRET


def test_a_process_whose_clock_is_behind_takes_what_another_has_just_issued(
    issuer: Issuer,
) -> None:
    def ahead(seconds: int) -> str:
        return signed(claims={"iat": NOW + seconds, "nbf": NOW + seconds})

    assert issuer.tokens.verify(ahead(30)).client == CLIENT.id
    assert issuer.refuses(ahead(31))


def test_a_remembered_token_dies_with_its_key(issuer: Issuer) -> None:
    token = issuer.tokens.issue(CLIENT, SECRET)
    assert issuer.tokens.verify(token).client == CLIENT.id
    issuer.directory = a_directory(NEXT)
    assert issuer.refuses(token)


def test_a_retired_key_still_checks_but_no_longer_signs(issuer: Issuer) -> None:
    token = issuer.tokens.issue(CLIENT, SECRET)
    issuer.directory = a_directory(
        replace(ACTIVE, state=KeyState.RETIRED), replace(NEXT, state=KeyState.ACTIVE)
    )
    assert issuer.tokens.verify(token).client == CLIENT.id
    renewed = issuer.tokens.issue(CLIENT, SECRET)
    assert jws.extract_compact(renewed.encode()).headers()["kid"] == NEXT.kid
    assert issuer.tokens.verify(renewed).client == CLIENT.id


def test_without_an_active_key_nothing_is_issued(issuer: Issuer) -> None:
    issuer.directory = a_directory(NEXT)
    with pytest.raises(Unavailable):
        issuer.tokens.issue(CLIENT, SECRET)


def test_a_remembered_token_costs_no_signature_check(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = issuer.tokens.issue(CLIENT, SECRET)
    issuer.tokens.verify(token)
    monkeypatch.setattr("gateway.identity.tokens.jwt.decode", None)
    assert issuer.tokens.verify(token).client == CLIENT.id


def test_memory_is_bounded_and_keeps_what_is_in_use() -> None:
    issuer = Issuer(remembered=3)
    used, *others = [issuer.tokens.issue(CLIENT, SECRET) for _ in range(6)]
    for other in others:
        issuer.tokens.verify(used)
        issuer.tokens.verify(other)
    remembered = issuer.tokens._remembered
    assert len(remembered) == 3
    assert sha256(used.encode()).digest() in remembered


def test_expired_tokens_are_forgotten_as_new_ones_come(issuer: Issuer) -> None:
    for _ in range(20):
        issuer.tokens.verify(issuer.tokens.issue(CLIENT, SECRET))
    issuer.clock.time += 1000
    issuer.tokens.verify(issuer.tokens.issue(CLIENT, SECRET))
    assert len(issuer.tokens._remembered) == 1


def test_nothing_secret_shows() -> None:
    shown = repr((ACTIVE, a_directory(ACTIVE), Issuer().tokens))
    assert ACTIVE.sealed.hex() not in shown
    assert repr(ACTIVE.sealed) not in shown


@pytest.mark.parametrize(("ahead", "accepted"), [(5.4, True), (SKEW, True), (SKEW + 2, False)])
def test_processes_whose_clocks_differ_accept_tokens_of_each_other(
    ahead: float, accepted: bool
) -> None:
    one, other = Issuer(), Issuer()
    other.directory = one.directory
    one.clock.time += ahead
    token = one.tokens.issue(CLIENT, SECRET)
    if accepted:
        assert other.tokens.verify(token).client == CLIENT.id
    else:
        with pytest.raises(NotAuthenticated):
            other.tokens.verify(token)
    other.clock.time += ahead + SETTINGS.token_seconds
    with pytest.raises(NotAuthenticated):  # the difference prolongs no token
        other.tokens.verify(token)

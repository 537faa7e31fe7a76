"""Credentials of the command: the environment first, then a file that only its owner may read."""

from pathlib import Path

import pytest

from adapters.cli.exits import Failure
from adapters.cli.profiles import Profile, load, path, save
from adapters.client import Tls

TEXT = """
[default]
url = "https://bus"
client_id = "admin-1"
client_secret = "s3cret"

[uji]
url = "https://uji"

[broken]
url = 3
"""


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """An environment with a profile file."""
    environ = {"XDG_CONFIG_HOME": str(tmp_path)}
    file = path(environ)
    file.parent.mkdir()
    file.write_text(TEXT)
    file.chmod(0o600)
    return environ


def test_from_the_file(home: dict[str, str]) -> None:
    assert load("default", home) == Profile("https://bus", "admin-1", "s3cret")
    assert "s3cret" not in repr(load("default", home))


def test_the_environment_goes_first(home: dict[str, str]) -> None:
    environ = {"NUSABUS_CLIENT_ID": "x", "NUSABUS_CLIENT_SECRET": "y"}
    assert load("uji", {**home, **environ}) == Profile("https://uji", "x", "y")
    assert load("none", {**environ, "NUSABUS_URL": "https://z"}) == Profile("https://z", "x", "y")


def test_a_certificate_stands_for_the_secret(home: dict[str, str], tmp_path: Path) -> None:
    mine = Profile("https://c", "x", "", "/app.pem", "/app.key", "/ca.pem")
    path(home).unlink()
    save({"cert": mine, "public": Profile("https://d", "y", "", "/own.pem")}, home)
    assert "secret" not in path(home).read_text()
    assert load("cert", home) == mine
    assert mine.tls == Tls("/app.pem", "/app.key", "/ca.pem")
    assert load("public", home).tls == Tls("/own.pem")
    assert load("public", {**home, "NUSABUS_CERTIFICATE_FILE": "/new.pem"}).tls == Tls("/new.pem")
    assert Profile("https://bus", "x", "y").tls is None


def test_what_is_missing_is_named(home: dict[str, str]) -> None:
    with pytest.raises(Failure, match=r"NUSABUS_CLIENT_ID, NUSABUS_CLIENT_SECRET.*\[uji\]"):
        load("uji", home)


def test_a_file_that_others_may_read_is_refused(home: dict[str, str]) -> None:
    path(home).chmod(0o640)
    with pytest.raises(Failure, match="chmod 600"):
        load("default", home)


def test_a_file_that_cannot_be_read_says_why(home: dict[str, str]) -> None:
    with pytest.raises(Failure, match="must hold strings"):
        load("broken", home)
    path(home).write_text("[")
    with pytest.raises(Failure, match=r"profiles\.toml"):
        load("default", home)


def test_where_it_is() -> None:
    assert path({}) == Path.home() / ".config" / "nusabus" / "profiles.toml"


def test_saved_profiles_are_found_again(tmp_path: Path) -> None:
    environ = {"XDG_CONFIG_HOME": str(tmp_path / "new")}
    first, second = Profile("https://a", 'x"\\', "é😀\x7f"), Profile("https://b", "y", "z")
    save({"default": first}, environ)
    save({"BI satu": second}, environ)
    assert load("default", environ) == first
    assert load("BI satu", environ) == second
    assert path(environ).stat().st_mode & 0o777 == 0o600


def test_a_profile_of_another_gateway_is_kept(home: dict[str, str]) -> None:
    path(home).write_text(TEXT.partition("[broken]")[0])
    other = Profile("https://other", "a", "b")
    with pytest.raises(Failure, match="is for https://bus"):
        save({"neu": other, "default": other}, home)
    assert load("default", home).client_id == "admin-1"
    save({"default": other}, home, replace=True)
    assert load("default", home) == other
    with pytest.raises(Failure, match="nusabus login neu"):
        load("neu", home)

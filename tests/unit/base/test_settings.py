"""Settings: parsed once, with every fault named."""

from pathlib import Path

import pytest

from gateway.base.settings import InvalidSettings, Settings

GOOD = {
    "NUSABUS_DATABASE_URL": "postgresql://u:p@h/d",
    "NUSABUS_AMQP_URL": "amqp://u:p@h/",
    "NUSABUS_SECRET_KEY": "k" * 32,
}


def test_the_least_that_is_needed() -> None:
    settings = Settings.parse({**GOOD, "HOME": "/", "NUSABUS_UNKNOWN": "x"})
    assert (settings.port, settings.shards) == (8080, 4)
    assert "u:p" not in repr(settings)
    assert "k" * 32 not in repr(settings)


def test_every_fault_is_named_without_its_value() -> None:
    with pytest.raises(InvalidSettings) as caught:
        Settings.parse({"NUSABUS_SECRET_KEY": "short", "NUSABUS_PORT": "secret"})
    message = str(caught.value)
    for name in ("DATABASE_URL", "AMQP_URL", "SECRET_KEY", "PORT"):
        assert f"NUSABUS_{name}: " in message
    assert "short" not in message
    assert "secret" not in message


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"NUSABUS_EVENT_LIMIT": "4096", "NUSABUS_BATCH_LIMIT": "2048"}, "NUSABUS_EVENT_LIMIT"),
        ({"NUSABUS_JOURNAL_WRITERS": "3", "NUSABUS_SHARDS": "2"}, "NUSABUS_JOURNAL_WRITERS"),
        ({"NUSABUS_PORT": "70000"}, "NUSABUS_PORT"),
        ({"NUSABUS_DATABASE_URL": "postgresql://u:p@[::1/d"}, "NUSABUS_DATABASE_URL"),
        ({"NUSABUS_RETENTION_DATABASE_URL": "postgresql://[x/"}, "NUSABUS_RETENTION_DATABASE_URL"),
        ({"NUSABUS_SHARDS": "0"}, "NUSABUS_SHARDS"),
        ({"NUSABUS_BACKLOG_LIMIT": "0"}, "NUSABUS_BACKLOG_LIMIT"),
    ],
)
def test_rules(change: dict[str, str], named: str) -> None:
    with pytest.raises(InvalidSettings, match=named):
        Settings.parse({**GOOD, **change})


def test_secrets_may_be_files(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"{'f' * 40}\n")
    environ = {**GOOD, "NUSABUS_SECRET_KEY_FILE": str(file)}
    assert Settings.parse(environ).secret_key.get_secret_value() == "k" * 32
    del environ["NUSABUS_SECRET_KEY"]
    assert Settings.parse(environ).secret_key.get_secret_value() == "f" * 40
    with pytest.raises(InvalidSettings, match="NUSABUS_SECRET_KEY_FILE"):
        Settings.parse({**environ, "NUSABUS_SECRET_KEY_FILE": str(tmp_path / "none")})

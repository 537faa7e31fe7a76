"""What the user of a subscription can do at the broker with ready-made clients: read its queue."""

import shutil
import subprocess
from collections.abc import Iterator

import pytest

from tests.builders import FREE, a_document
from tests.bus import Bus, Subscribed
from tests.readers import depth
from tests.waiting import eventually

pytestmark = pytest.mark.skipif(
    shutil.which("amqp-consume") is None, reason="the package amqp-tools is missing"
)


@pytest.fixture(scope="module")
def pair(bus: Bus) -> Iterator[tuple[Subscribed, Subscribed]]:
    """Two subscriptions, each with a message."""
    uji = bus.actor("uji")
    two = uji.subscribe(FREE), uji.subscribe(FREE)
    uji.publish(a_document())
    for each in two:
        eventually(lambda each=each: depth(bus.amqp_url, each.queue) == 1)  # type: ignore[misc]  # bound early
    yield two
    for each in two:
        each.end()


def run(*command: str) -> subprocess.CompletedProcess[bytes]:
    """A client that has 20 s."""
    return subprocess.run(command, capture_output=True, timeout=20, check=False, input=b"x")


def test_it_reads_its_queue(pair: tuple[Subscribed, Subscribed]) -> None:
    mine, _ = pair
    command = ("amqp-consume", "-u", mine.url, "-q", mine.queue, "-c", "1", "cat")
    done = run(*command)
    assert done.returncode == 0, done.stderr
    assert FREE.encode() in done.stdout


@pytest.mark.parametrize(
    "command",
    [
        "amqp-get -u {url} -q {other}",
        "amqp-consume -u {url} -q {other} -c 1 cat",
        "amqp-get -u {url} -q bus.dead",
        "amqp-publish -u {url} -e bus.events -r id.go.uji.bebas.dicatat.v1 -b x",
        "amqp-publish -u {url} -e bus.commands -r {queue} -b x",
        "amqp-publish -u {url} -r {queue} -b x",
        "amqp-publish -u {url} -r {other} -b x",
        "amqp-declare-queue -u {url} -q mine",
        "amqp-declare-queue -u {url} -q sub.uji.mine",
        "amqp-delete-queue -u {url} -q {queue}",
        "amqp-delete-queue -u {url} -q {other}",
    ],
)
def test_it_can_do_nothing_else(
    bus: Bus, pair: tuple[Subscribed, Subscribed], command: str
) -> None:
    mine, other = pair
    words = {"url": mine.url, "queue": mine.queue, "other": other.queue}
    done = run(*command.format(**words).split())
    # A publish is only refused when the broker closes the channel, which this client may not await.
    assert done.returncode != 0 or "publish" in command, done
    assert depth(bus.amqp_url, other.queue) == 1
    assert depth(bus.amqp_url, mine.queue) <= 1

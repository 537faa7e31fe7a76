"""From end to end with what every machine has: curl publishes, amqp-consume receives."""

import json
import shutil
import subprocess

import pytest

from tests.builders import FREE, a_name, an_id
from tests.bus import Bus
from tests.waiting import eventually

pytestmark = pytest.mark.skipif(
    not (shutil.which("curl") and shutil.which("amqp-consume")),
    reason="the packages curl and amqp-tools are needed",
)


def run(*command: str) -> str:
    """What a program prints; it has half a minute."""
    done = subprocess.run(command, capture_output=True, timeout=30, check=False, text=True)
    assert done.returncode == 0, (done.stdout, done.stderr)
    return done.stdout


def curl(bus: Bus, path: str, *arguments: str) -> dict[str, object]:
    """The JSON document that curl gets; it fails on an error."""
    answer: dict[str, object] = json.loads(
        run("curl", "-sS", "--fail-with-body", f"{bus.http.base_url}{path}", *arguments)
    )
    return answer


def test_publish_with_curl_and_receive_with_amqp_consume(bus: Bus) -> None:
    uji = bus.actor("uji")
    login = ("-u", f"{uji.id}:{uji.secret}", "-d", "grant_type=client_credentials")
    token = curl(bus, "/oauth/token", *login)
    bearer = ("-H", f"Authorization: Bearer {token['access_token']}")
    name = a_name()
    request = json.dumps({"types": [FREE]})
    json_ = ("-H", "Content-Type: application/json")
    made = curl(bus, f"/v1/subscriptions/{name}", "-X", "PUT", *bearer, *json_, "-d", request)
    eventually(lambda: curl(bus, f"/v1/subscriptions/{name}", *bearer)["state"] == "active")

    id, data = an_id(), '{ "nama": "Siti",  "nilai": 1.50 }'
    attributes = {"specversion": "1.0", "id": id, "source": "/uji/e2e", "type": FREE}
    headers = [part for n, v in attributes.items() for part in ("-H", f"ce-{n}: {v}")]
    receipt = curl(bus, "/v1/events", *bearer, *json_, *headers, "--data-binary", data)
    assert (receipt["id"], receipt["duplicate"]) == (id, False)

    reader = ("-u", str(made["amqp_url"]), "-q", str(made["queue"]))
    received = run("amqp-consume", *reader, "-c", "1", "cat")
    assert f'"data":{data}' in received
    assert json.loads(received).items() >= attributes.items()
    ended = curl(bus, f"/v1/subscriptions/{name}", "-X", "DELETE", *bearer)
    assert ended == {"discarded_messages": 0}

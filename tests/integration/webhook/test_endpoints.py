"""What the owner of a webhook can do: offer an endpoint, renew its secret, try it."""

from base64 import b64decode
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook, WebhookVerificationError

from tests.builders import FREE, a_name
from tests.bus import Actor, Bus
from tests.integration.webhook.conftest import MakeInbox, hooked
from tests.integration.webhook.inbox import Inbox, Reply
from tests.waiting import eventually


def path(made: dict[str, Any]) -> str:
    return f"/v1/subscriptions/{made['name']}"


def test_a_rotation_signs_with_both_and_then_with_the_new_alone(uji: Actor, inbox: Inbox) -> None:
    made = hooked(uji, inbox.url)
    answer = uji.post(f"{path(made)}/secrets", json={"overlap_seconds": 600})
    assert answer.status_code == 201
    new = answer.json()["secret"]
    eventually(lambda: len(_published(uji, inbox).headers["webhook-signature"].split(" ")) == 2)
    call = _published(uji, inbox)
    for secret in (made["secret"], new):
        assert Webhook(secret).verify(call.body, dict(call.headers))
    newest = uji.post(f"{path(made)}/secrets", json={"overlap_seconds": 0}).json()["secret"]
    eventually(lambda: len(_published(uji, inbox).headers["webhook-signature"].split(" ")) == 1)
    call = _published(uji, inbox)
    assert Webhook(newest).verify(call.body, dict(call.headers))
    for secret in (made["secret"], new):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(call.body, dict(call.headers))


def _published(uji: Actor, inbox: Inbox) -> Any:
    id = uji.published()
    return next(call for call in inbox.wait_for(id) if call.id == id)


def test_ed25519(uji: Actor, inbox: Inbox) -> None:
    made = hooked(uji, inbox.url, endpoint={"signature": "ed25519"})
    public = made["secret"]
    assert public.startswith("whpk_")
    assert uji.get(path(made)).json()["webhook"]["public_keys"] == [public]
    call = _published(uji, inbox)
    version, _, signature = call.headers["webhook-signature"].partition(",")
    assert version == "v1a"
    head = f"{call.headers['webhook-id']}.{call.headers['webhook-timestamp']}.".encode()
    key = Ed25519PublicKey.from_public_bytes(b64decode(public.removeprefix("whpk_")))
    key.verify(b64decode(signature), head + call.body)


def test_secrets_are_sealed_in_the_database(hooks: Bus, uji: Actor, inbox: Inbox) -> None:
    made = hooked(uji, inbox.url)
    secret = b64decode(made["secret"].removeprefix("whsec_"))
    ((sealed,),) = hooks.query("SELECT sealed FROM webhook_keys WHERE name = $1", made["name"])
    assert secret not in sealed
    assert made["secret"] not in hooks.logs()


def test_a_test_event_follows_the_handshake_and_is_signed(
    hooks: Bus, uji: Actor, inbox: Inbox
) -> None:
    made = hooked(uji, inbox.url)
    tried = uji.post(f"{path(made)}/test").json()
    assert tried["delivered"] is True
    assert tried["detail"] == "204 No Content"
    (call,) = inbox.calls
    assert call.headers["webhook-id"] == tried["webhook_id"]
    assert Webhook(made["secret"]).verify(call.body, dict(call.headers))
    inbox.behave = lambda _: Reply(500)
    again = uji.post(f"{path(made)}/test").json()
    assert (again["delivered"], again["detail"]) == (False, "500 Internal Server Error")


def test_a_secret_of_what_is_no_webhook(uji: Actor) -> None:
    name = a_name()
    assert uji.put_subscription(name, FREE, delivery="pull").status_code == 201
    assert uji.post(f"/v1/subscriptions/{name}/secrets").status_code == 409


def test_those_of_others_are_not_found(hooks: Bus, uji: Actor, inbox: Inbox) -> None:
    made = hooked(uji, inbox.url)
    lain = hooks.actor("lain")
    assert lain.post(f"{path(made)}/test").status_code == 404
    assert lain.post(f"{path(made)}/secrets").status_code == 404


def test_an_endpoint_that_withholds_gets_nothing_until_it_agrees(uji: Actor, inbox: Inbox) -> None:
    inbox.permission = {"webhook-allowed-origin": "bus.lain.example"}
    made = hooked(uji, inbox.url)
    sent = uji.published()
    eventually(
        lambda: (uji.get(path(made)).json()["webhook"]["last_error"] or "").startswith("the")
    )
    shown = uji.get(path(made)).json()["webhook"]
    assert shown["agreed"] is False
    assert "another origin" in shown["last_error"]
    tried = uji.post(f"{path(made)}/test").json()
    assert tried["delivered"] is False
    assert inbox.calls == []
    inbox.permission = {"webhook-allowed-origin": "*", "webhook-allowed-rate": "600"}
    assert uji.post(f"{path(made)}/test").json()["delivered"] is True
    inbox.wait_for(sent)
    assert uji.get(path(made)).json()["webhook"] == {
        "agreed": True, "allowed_rate": 10.0, "last_error": None, "public_keys": [],
    }  # fmt: skip


def test_another_url_is_asked_before_it_gets_anything(uji: Actor, make_inbox: MakeInbox) -> None:
    first, second = make_inbox(), make_inbox()
    made = hooked(uji, first.url)
    _published(uji, first)
    body = {"delivery": "webhook", "terms": {"endpoint": {"url": second.url}}}
    answer = uji.put_subscription(made["name"], FREE, **body)
    assert answer.status_code == 200
    assert answer.json()["secret"] is None
    eventually(lambda: len(second.asked) == 1)
    call = _published(uji, second)
    assert Webhook(made["secret"]).verify(call.body, dict(call.headers))


@pytest.mark.parametrize(
    ("delivery", "endpoint", "pointer"),
    [
        ("webhook", None, "/terms/endpoint"),
        ("pull", {"url": "https://contoh.example/"}, "/terms/endpoint"),
        ("webhook", {"url": "http://10.0.0.1/"}, "/terms/endpoint/url"),
        ("webhook", {"url": "https://10.0.0.1/"}, "/terms/endpoint/url"),
        ("webhook", {"url": "https://0x7f.1/"}, "/terms/endpoint/url"),
        ("webhook", {"url": "https://[::ffff:127.0.0.1]/"}, "/terms/endpoint/url"),
        ("webhook", {"url": "https://contoh.example/", "concurrency": 65}, None),
        ("webhook", {"url": "https://contoh.example/", "rate": 1}, None),
    ],
)
def test_terms_that_are_refused(
    uji: Actor, delivery: str, endpoint: Any, pointer: str | None
) -> None:
    terms = {"endpoint": endpoint} if endpoint else {}
    answer = uji.put_subscription(a_name(), FREE, delivery=delivery, terms=terms)
    assert answer.status_code == 422
    if pointer:
        assert answer.json()["pointer"] == pointer


def test_a_name_is_checked_by_its_address_when_it_is_called(uji: Actor, inbox: Inbox) -> None:
    port = inbox.url.split(":")[2].split("/")[0]
    for host in ("localhost", "localhost."):
        url = f"https://{host}:{port}/"
        made = hooked(uji, url)  # ::1 is not approved, nor would another name of it be
        tried = uji.post(f"{path(made)}/test").json()
        assert tried["delivered"] is False
    assert inbox.asked == []
    assert inbox.calls == []

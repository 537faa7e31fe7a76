"""The lifecycle of versions, from comparison to retirement, and its effect on publishers."""

from typing import Any

import httpx

from tests.builders import a_document, a_name
from tests.bus import Actor, Bus
from tests.integration.contracts.registration import (
    a_json_schema,
    a_registration,
    a_type,
    a_version,
    act,
    add,
    register,
    wider,
)
from tests.problems import problem_of
from tests.waiting import eventually

NARROW = a_json_schema(properties={"n": {"type": "integer", "title": "N", "maximum": 5}})


def published(by: Actor, type: str, n: int = 9, **attributes: Any) -> httpx.Response:
    return by.publish(a_document(type=type, data={"n": n}, **attributes))


def stored_version(bus: Bus, answer: httpx.Response) -> int:
    """The version that validated the entry of a receipt."""
    assert answer.status_code == 202, answer.text
    receipt = answer.json()
    rows = bus.query(
        "SELECT contract_version FROM journal_entries WHERE shard = $1 AND sequence = $2",
        receipt["shard"],
        receipt["sequence"],
    )
    return int(rows[0][0])


def test_what_would_break_somebody_is_refused_with_proof(
    bus: Bus, admin: Actor, uji: Actor
) -> None:
    type = a_type()
    register(admin, type)
    eventually(lambda: published(uji, type).status_code == 202)
    subscription = a_name()
    assert uji.put_subscription(subscription, type).status_code == 201
    bus.grant("lain", "publish", type)
    for answer in (
        add(admin, type, schema=NARROW, examples=a_version()["examples"]),
        admin.post(f"/v1/contracts/{type}/compatibility", json=a_version(schema=NARROW)),
    ):
        body = answer.json()
        found = body["compatibility"]
        assert (found["outcome"], found["direction"], found["against"]) == (
            "incompatible", "backward", 1,
        )  # fmt: skip
        assert found["counterexample"]["document"]["n"] > 5
        assert "/n" in [change["pointer"] for change in found["changes"]]
        impact = body["impact"]
        assert {"organisation": "uji", "name": subscription} in impact["subscriptions"]
        senders = {each["organisation"]: each["last_published"] for each in impact["publishers"]}
        assert senders.keys() == {"uji", "lain"}
        assert senders["uji"] is not None
    problem_of(add(admin, type, schema=NARROW), 409, "incompatible")
    assert len(admin.get(f"/v1/contracts/{type}").json()["versions"]) == 1


def test_a_dry_run_stores_nothing_and_knows_what_is_there(admin: Actor) -> None:
    type = a_type()
    register(admin, type)
    path = f"/v1/contracts/{type}/compatibility"
    fits = admin.post(path, json={"schema": wider()})
    assert fits.status_code == 200, fits.text
    assert fits.json()["compatibility"]["outcome"] == "compatible"
    assert fits.json()["impact"] is None
    assert admin.post(path, json=a_version()).json()["existing"] == 1
    assert len(admin.get(f"/v1/contracts/{type}").json()["versions"]) == 1


def test_a_breaking_change_needs_another_administrator(
    bus: Bus, admin: Actor, other: Actor, uji: Actor
) -> None:
    type = a_type()
    register(admin, type)
    examples = {
        "valid": [{"name": "satu", "data": {"n": 1}}],
        "invalid": [{"name": "besar", "keyword": "maximum", "pointer": "/n", "data": {"n": 9}}],
    }
    draft = add(admin, type, schema=NARROW, examples=examples, breaking=True)
    assert draft.status_code == 201, draft.text
    assert draft.json()["version"]["state"] == "draft"
    assert draft.json()["impact"]["publishers"][0]["organisation"] == "uji"
    assert stored_version(bus, published(uji, type)) == 1
    path = f"{type}/versions/2/approval"
    problem_of(act(admin, path), 409, "conflict")
    problem_of(act(bus.admin, path), 403, "forbidden")
    approved = act(other, path)
    assert approved.status_code == 200, approved.text
    assert approved.json()["active_version"] == 2
    shown = admin.get(f"/v1/contracts/{type}/versions/2").json()
    assert (shown["registered_by"], shown["approved_by"]) == (admin.id, other.id)
    problem_of(act(other, path), 409, "conflict")
    eventually(lambda: published(uji, type).status_code == 422)
    assert stored_version(bus, published(uji, type, 5)) == 2


def test_a_draft_may_be_withdrawn_and_never_counted(admin: Actor) -> None:
    type = a_type()
    register(admin, type)
    add(admin, type, schema=NARROW, breaking=True)
    assert act(admin, f"{type}/versions/2/retirement").status_code == 200
    third = add(admin, type, schema=wider())
    assert third.json()["compatibility"] == {
        "outcome": "compatible", "mode": "backward", "policy": "strict", "against": None,
    }  # fmt: skip
    assert third.json()["version"]["version"] == 3


def test_a_publisher_names_the_version_or_the_newest_validates(
    bus: Bus, admin: Actor, uji: Actor
) -> None:
    type = a_type()
    register(admin, type)
    two = add(admin, type, schema=wider()).json()["version"]
    eventually(lambda: stored_version(bus, published(uji, type)) == 2)
    first = two["dataschema"].replace("versions/2", "versions/1")
    for dataschema in (first, f"urn:nusabus:contract:{type}:1"):
        answer = published(uji, type, dataschema=dataschema)
        assert stored_version(bus, answer) == 1
    document = a_document(type=type, data={"n": 1, "lagi": "x"}, dataschema=first)
    refused = problem_of(uji.publish(document), 422, "contract-violation")
    assert refused["version"] == 1
    elsewhere = "https://elsewhere.example/schemas/1"
    assert stored_version(bus, published(uji, type, dataschema=elsewhere)) == 2
    for bad, message in (
        (two["dataschema"].replace("versions/2", "versions/3"), "unknown"),
        (f"urn:nusabus:contract:{a_type()}:1", "its own type"),
    ):
        problem = problem_of(published(uji, type, dataschema=bad), 422, "invalid")
        assert (problem["pointer"], message in problem["detail"]) == ("/dataschema", True)


def test_publishers_are_told_of_a_deprecation(bus: Bus, admin: Actor, uji: Actor) -> None:
    type, successor = a_type(), a_type()
    register(admin, type)
    notice = {"sunset": "2031-01-02T03:04:05+07:00", "successor": successor}
    problem_of(act(admin, f"{type}/deprecation", notice), 422, "invalid")
    register(admin, successor)
    body = act(admin, f"{type}/deprecation", notice).json()
    assert (body["state"], body["active_version"]) == ("deprecated", None)
    eventually(lambda: "deprecation" in published(uji, type).headers)
    headers = published(uji, type).headers
    assert headers["sunset"] == "Wed, 01 Jan 2031 20:04:05 GMT"
    assert headers["deprecation"].startswith("@1")
    assert f'/v1/contracts/{successor}>; rel="successor-version"' in headers["link"]
    batch = uji.publish_batch([a_document(type=type, data={"n": 1})])
    assert batch.headers["sunset"] == headers["sunset"]
    assert "deprecation" not in published(uji, successor).headers


def test_after_the_sunset_events_are_accepted_and_their_publishers_still_told(
    admin: Actor, uji: Actor
) -> None:
    type = a_type()
    register(admin, type)
    act(admin, f"{type}/deprecation", {"sunset": "2026-01-01T00:00:00Z"})
    eventually(lambda: "deprecation" in published(uji, type).headers)
    answer = published(uji, type)
    assert answer.status_code == 202
    assert answer.headers["sunset"] == "Thu, 01 Jan 2026 00:00:00 GMT"


def test_only_the_deprecated_version_is_told(bus: Bus, admin: Actor, uji: Actor) -> None:
    type = a_type()
    register(admin, type)
    add(admin, type, schema=wider())
    act(admin, f"{type}/versions/1/deprecation", {})
    eventually(lambda: stored_version(bus, published(uji, type)) == 2)
    assert "deprecation" not in published(uji, type).headers
    old = published(uji, type, dataschema=f"urn:nusabus:contract:{type}:1")
    eventually(
        lambda: (
            "deprecation"
            in published(uji, type, dataschema=f"urn:nusabus:contract:{type}:1").headers
        )
    )
    assert old.status_code == 202


def test_retiring_is_confirmed_and_final(bus: Bus, admin: Actor, uji: Actor) -> None:
    type = a_type()
    register(admin, type)
    add(admin, type, schema=wider())
    path = f"{type}/versions/2/retirement"
    dry = admin.post(f"/v1/contracts/{path}", params={"dryrun": "true"})
    assert (dry.status_code, dry.json()["versions"]) == (200, [2])
    unconfirmed = problem_of(act(admin, path), 409, "unconfirmed")
    assert unconfirmed["impact"]["publishers"][0]["organisation"] == "uji"
    problem_of(admin.post(f"/v1/contracts/{path}"), 428, "precondition-required")
    assert act(admin, path, confirm="true").json()["contract"]["active_version"] == 1
    eventually(lambda: stored_version(bus, published(uji, type)) == 1)
    named = published(uji, type, dataschema=f"urn:nusabus:contract:{type}:2")
    assert "retired" in problem_of(named, 422, "invalid")["detail"]
    assert act(admin, f"{type}/retirement", confirm="true").json()["contract"]["state"] == "retired"
    eventually(lambda: published(uji, type).status_code == 422)
    assert "No version" in problem_of(published(uji, type), 422, "invalid")["detail"]
    assert admin.get(f"/v1/contracts/{type}/versions/2/schema").status_code == 200
    problem_of(act(admin, f"{type}/versions/9/retirement"), 404, "not-found")
    problem_of(act(admin, f"{type}/versions/1/deprecation", {}), 409, "conflict")


def test_a_retirement_is_taken_back(bus: Bus, admin: Actor, uji: Actor) -> None:
    type = a_type()
    register(admin, type)
    path = f"{type}/versions/1"
    problem_of(act(admin, f"{path}/reinstatement"), 409, "conflict")
    act(admin, f"{path}/retirement", confirm="true")
    again = add(admin, type)
    assert (again.status_code, again.json()["version"]["state"]) == (200, "retired")
    assert act(admin, f"{path}/reinstatement").json()["active_version"] == 1
    eventually(lambda: published(uji, type).status_code == 202)
    add(admin, type, schema=NARROW, breaking=True)
    act(admin, f"{type}/versions/2/retirement")
    back = act(admin, f"{type}/versions/2/reinstatement").json()
    assert back["versions"] == [{"version": 1, "state": "active"}, {"version": 2, "state": "draft"}]
    problem_of(act(admin, f"{type}/versions/3/reinstatement"), 404, "not-found")


def test_what_was_retired_still_binds(admin: Actor) -> None:
    type = a_type()
    register(admin, type)
    act(admin, f"{type}/retirement", confirm="true")
    problem_of(add(admin, type, schema=NARROW), 409, "incompatible")


def test_an_optional_member_under_the_friendly_policy(bus: Bus, admin: Actor, uji: Actor) -> None:
    type = a_type()
    rule = {"mode": "full-transitive", "policy": "optional-friendly"}
    is_open = a_json_schema(additionalProperties=None)
    refused = admin.post(
        "/v1/contracts", json=a_registration(type, compatibility={**rule, "mode": "full"})
    )
    problem_of(refused, 422, "invalid")
    register(admin, type, compatibility=rule, schema=is_open)
    more = {**is_open["properties"], "lagi": {"type": "string"}}
    second = add(admin, type, schema=a_json_schema(additionalProperties=None, properties=more))
    assert second.status_code == 201, second.text
    assert second.json()["version"]["closed"] is True
    eventually(lambda: stored_version(bus, published(uji, type)) == 2)
    extra = uji.publish(a_document(type=type, data={"n": 1, "asing": 2}))
    problem_of(extra, 422, "contract-violation")


def test_a_reply_must_keep_what_was_asked(admin: Actor) -> None:
    type = a_type()
    shared: dict[str, Any] = {
        "reply_schema": a_json_schema(),
        "reply_examples": a_version()["examples"],
    }
    register(admin, type, pattern="request-reply", **shared)
    answer = admin.get(f"/v1/contracts/{type}/versions/1/reply-schema")
    assert answer.json() == a_json_schema()
    answer = add(admin, type, **{**shared, "reply_schema": wider()})
    found = problem_of(answer, 409, "incompatible")["compatibility"]
    assert (found["part"], found["direction"]) == ("reply", "forward")
    assert add(admin, type, **{**shared, "reply_schema": NARROW}).status_code == 201

"""The client library against a gateway of canned answers: what it repeats, and what it says."""

import asyncio
import base64
import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from adapters.client import Administration, Nusabus, OutcomeUnknown, Problem, Receipt, Repeat

EVENT = {"source": "/sensor", "type": "id.go.bmkg.gempa.terdeteksi.v1", "data": {"magnitudo": 5.6}}
RECEIPT = {
    "id": "e1",
    "source": "/sensor",
    "shard": 2,
    "sequence": 7,
    "recordedtime": "2023-11-05T08:00:00.000000Z",
    "digest": "ab" * 32,
    "duplicate": False,
}
AT_ONCE = Repeat(attempts=4, first=0, longest=0)
TOKEN = {"access_token": "t1", "token_type": "Bearer", "expires_in": 600}

Answer = httpx.Response | Exception


def problem(status: int, code: str, **more: Any) -> httpx.Response:
    body = {
        "type": f"https://nusabus.go.id/problems/{code}",
        "title": code.capitalize(),
        "status": status,
        "detail": "Do something else.",
        **more,
    }
    return httpx.Response(
        status, content=json.dumps(body), headers={"content-type": "application/problem+json"}
    )


class Gateway:
    """Gives tokens t1, t2, ... and the canned answers, one after the other; keeps the requests."""

    def __init__(self, *answers: Answer, lasts: float = 600) -> None:
        self.requests: list[httpx.Request] = []
        self.logins: list[httpx.Request] = []
        self._answers = list(answers)
        self._lasts = lasts

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth/token":
            self.logins.append(request)
            token = {**TOKEN, "access_token": f"t{len(self.logins)}", "expires_in": self._lasts}
            return httpx.Response(200, json=token)
        self.requests.append(request)
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def tokens(self) -> list[str]:
        """The token of each request."""
        return [request.headers["authorization"] for request in self.requests]

    @property
    def bodies(self) -> list[Any]:
        """The JSON of each request."""
        return [json.loads(request.content) for request in self.requests]

    def bus(self, repeat: Repeat = AT_ONCE) -> Nusabus:
        """A client of this gateway."""
        transport = httpx.MockTransport(self)
        return Nusabus("http://bus/", "bmkg-1", "s&cret", repeat=repeat, transport=transport)


def accepted() -> httpx.Response:
    return httpx.Response(202, json=RECEIPT)


async def test_an_event_is_published_in_structured_mode_with_a_random_id() -> None:
    gateway = Gateway(accepted(), accepted())
    async with gateway.bus() as bus:
        receipt = await bus.publish(EVENT)
        await bus.publish(EVENT)
    assert receipt == Receipt.of(RECEIPT)
    first, second = gateway.bodies
    assert first == {"specversion": "1.0", "id": first["id"], **EVENT}
    assert first["id"] != second["id"]
    sent = gateway.requests[0]
    assert (sent.method, str(sent.url)) == ("POST", "http://bus/v1/events")
    assert sent.headers["content-type"] == "application/cloudevents+json"


async def test_unknown_members_of_an_answer_are_left_aside() -> None:
    gateway = Gateway(httpx.Response(202, json={**RECEIPT, "news": 1}))
    async with gateway.bus() as bus:
        assert (await bus.publish(EVENT)).sequence == 7


@pytest.mark.parametrize(
    "failure",
    [
        httpx.ReadTimeout("no answer"),
        httpx.ReadError("reset"),
        httpx.ConnectError("refused"),
        httpx.RemoteProtocolError("cut off"),
        problem(503, "journal-unavailable"),
        problem(500, "error"),
        httpx.Response(502, text="<h1>Bad gateway</h1>"),
        httpx.Response(504),
        httpx.Response(429),
    ],
)
async def test_an_unknown_outcome_is_repeated_with_the_same_bytes(failure: Answer) -> None:
    gateway = Gateway(failure, failure, accepted())
    async with gateway.bus() as bus:
        assert (await bus.publish(EVENT)).sequence == 7
    assert len({request.content for request in gateway.requests}) == 1
    assert len(gateway.requests) == 3


async def test_an_outcome_that_stays_unknown_is_handed_over_with_its_event() -> None:
    gateway = Gateway(*[httpx.ReadTimeout("no answer")] * AT_ONCE.attempts)
    async with gateway.bus() as bus:
        with pytest.raises(OutcomeUnknown, match="same id") as caught:
            await bus.publish(EVENT)
    assert caught.value.event == gateway.bodies[0]
    assert isinstance(caught.value.__cause__, httpx.ReadTimeout)


async def test_a_refusal_is_not_repeated_and_tells_every_violation() -> None:
    violation = {"pointer": "/magnitudo", "keyword": "type", "message": "is not a number"}
    refusal = problem(422, "contract-violation", violations=[violation], total=1)
    gateway = Gateway(refusal)
    async with gateway.bus() as bus:
        with pytest.raises(Problem, match="/magnitudo: is not a number") as caught:
            await bus.publish(EVENT)
    found = caught.value
    assert (found.status, found.code) == (422, "contract-violation")
    assert found.type == "https://nusabus.go.id/problems/contract-violation"
    assert (found.title, found.detail) == ("Contract-violation", "Do something else.")
    assert [each.keyword for each in found.violations] == ["type"]


async def test_what_a_proxy_says_becomes_a_problem_too() -> None:
    gateway = Gateway(httpx.Response(403, text="<h1>No</h1>"))
    async with gateway.bus() as bus:
        with pytest.raises(Problem) as caught:
            await bus.publish(EVENT)
    assert (caught.value.type, caught.value.title) == ("about:blank", "Forbidden")
    assert caught.value.detail == "<h1>No</h1>"


async def test_a_batch_is_answered_event_by_event() -> None:
    refused = {"status": 403, "problem": json.loads(problem(403, "forbidden").content)}
    results = [{"status": 202, "receipt": RECEIPT}, refused]
    answer = {"accepted": 1, "refused": 1, "results": results}
    gateway = Gateway(problem(503, "backlog-full"), httpx.Response(207, json=answer))
    async with gateway.bus() as bus:
        first, second = await bus.publish_batch([EVENT, EVENT])
    assert first == Receipt.of(RECEIPT)
    assert isinstance(second, Problem)
    assert second.code == "forbidden"
    assert gateway.bodies[0] == gateway.bodies[1]
    sent = gateway.requests[1]
    assert sent.headers["content-type"] == "application/cloudevents-batch+json"
    assert sent.url.query == b"atomic=false"


async def test_a_batch_that_is_refused_as_a_whole_is_answered_event_by_event_too() -> None:
    withheld = {"status": 424, "problem": json.loads(problem(424, "withheld").content)}
    answer = {"accepted": 0, "refused": 1, "results": [withheld]}
    gateway = Gateway(httpx.Response(422, json=answer))
    async with gateway.bus() as bus:
        [only] = await bus.publish_batch([EVENT], atomic=True)
    assert isinstance(only, Problem)
    assert gateway.requests[0].url.query == b"atomic=true"


async def test_one_token_serves_many_calls() -> None:
    gateway = Gateway(accepted(), accepted())
    async with gateway.bus() as bus:
        await bus.publish(EVENT)
        await bus.publish(EVENT)
    assert gateway.tokens == ["Bearer t1", "Bearer t1"]
    [login] = gateway.logins
    assert login.content == b"grant_type=client_credentials"
    assert base64.b64decode(login.headers["authorization"].split()[1]) == b"bmkg-1:s%26cret"


async def test_many_calls_at_once_fetch_one_token() -> None:
    gateway = Gateway(*[accepted() for _ in range(5)])
    async with gateway.bus() as bus:
        await asyncio.gather(*(bus.publish(EVENT) for _ in range(5)))
    assert len(gateway.logins) == 1


@pytest.mark.parametrize(("lasts", "passed", "logins"), [(600, 539, 1), (600, 541, 2), (10, 9, 2)])
async def test_a_token_is_renewed_before_it_ends(
    lasts: float, passed: float, logins: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr("adapters.client.tokens.time.monotonic", lambda: now)
    gateway = Gateway(accepted(), accepted(), lasts=lasts)
    async with gateway.bus() as bus:
        await bus.publish(EVENT)
        now += passed
        await bus.publish(EVENT)
    assert gateway.tokens == ["Bearer t1", f"Bearer t{logins}"]


async def test_a_token_that_is_refused_is_replaced_once() -> None:
    gateway = Gateway(problem(401, "not-authenticated"), accepted())
    async with gateway.bus() as bus:
        await bus.publish(EVENT)
    assert gateway.tokens == ["Bearer t1", "Bearer t2"]


async def test_a_client_that_stays_refused_says_so() -> None:
    gateway = Gateway(problem(401, "not-authenticated"), problem(401, "not-authenticated"))
    async with gateway.bus() as bus:
        with pytest.raises(Problem, match="401 not-authenticated"):
            await bus.publish(EVENT)
    assert len(gateway.logins) == 2


async def test_wrong_credentials_are_a_problem_with_the_code_of_oauth() -> None:
    def refuse(_: httpx.Request) -> httpx.Response:
        answer = {"error": "invalid_client", "error_description": "the secret is wrong"}
        return httpx.Response(401, json=answer)

    async with Nusabus("http://bus", "a", "b", transport=httpx.MockTransport(refuse)) as bus:
        with pytest.raises(Problem, match="401 invalid_client: the secret is wrong"):
            await bus.publish(EVENT)


@pytest.mark.parametrize(
    ("failed", "error", "least", "most"),
    [
        (1, httpx.ReadTimeout(""), 0, 0.2),
        (3, httpx.ReadTimeout(""), 0, 0.8),
        (5, httpx.ReadTimeout(""), 0, 2.0),
        (1, Problem(503, "x", "", retry_after=1), 1, 1.2),
        (1, Problem(503, "x", "", retry_after=3600), 2, 2.2),
    ],
)
def test_the_pause_grows_at_random_and_is_as_long_as_the_gateway_asks(
    failed: int, error: Exception, least: float, most: float
) -> None:
    repeat = Repeat(attempts=6, first=0.2, longest=2.0)
    pauses = [repeat.pause(failed, error) for _ in range(200)]
    found = [pause for pause in pauses if pause is not None]
    assert len(set(found)) > 100
    assert least <= min(found)
    assert max(found) <= most
    assert repeat.pause(6, error) is None


@pytest.mark.parametrize(
    ("header", "seconds"), [("2", 2.0), ("Wed, 21 Oct 2026 07:28:00 GMT", None)]
)
async def test_retry_after_is_read_in_seconds(header: str, seconds: float | None) -> None:
    answer = httpx.Response(503, headers={"retry-after": header})
    assert Problem.answered(answer).retry_after == seconds


async def test_a_subscription_is_asked_for_and_keeps_its_password_out_of_logs() -> None:
    body: dict[str, Any] = {
        "name": "kependudukan",
        "types": ["id.go.kemendagri.*"],
        "ordered": True,
        "state": "active",
        "queue": "sub.dukcapil.kependudukan",
        "amqp_url": "amqp://sub.dukcapil.kependudukan:hidden@127.0.0.1/",
    }
    held = httpx.Response(200, json={"held": 3})
    gateway = Gateway(httpx.Response(201, json=body), httpx.Response(200, json=body), held)
    async with gateway.bus() as bus:
        start = datetime(2023, 11, 5, tzinfo=UTC)
        made = await bus.subscribe("kependudukan", body["types"], ordered=True, start=start)
        assert await bus.renew("kependudukan") == made
        assert await bus.unsubscribe("kependudukan") == 3
    assert made.amqp_url == body["amqp_url"]
    assert made.active
    assert "hidden" not in repr(made)
    put, post, delete = gateway.requests
    assert json.loads(put.content) == {
        "types": ["id.go.kemendagri.*"],
        "ordered": True,
        "start": "2023-11-05T00:00:00+00:00",
    }
    path = "/v1/subscriptions/kependudukan"
    assert (put.method, put.url.path) == ("PUT", path)
    assert (post.method, post.url.path) == ("POST", f"{path}/credentials")
    assert (delete.method, delete.url.path) == ("DELETE", path)


async def test_lists_are_read_to_their_end() -> None:
    gateway = Gateway(
        httpx.Response(200, json={"items": [{"n": 1}], "next": "c1"}),
        httpx.Response(200, json={"items": [{"n": 2}], "next": None}),
    )
    async with gateway.bus() as bus:
        assert await bus.all("/v1/clients", organisation="bi") == [{"n": 1}, {"n": 2}]
    assert [request.url.query for request in gateway.requests] == [
        b"organisation=bi",
        b"organisation=bi&cursor=c1",
    ]


def listing(*items: dict[str, str]) -> httpx.Response:
    return httpx.Response(200, json={"items": items, "next": None})


async def test_a_client_of_the_same_title_is_found_again() -> None:
    others = {"id": "bi-1", "title": "Another", "state": "active"}
    disabled = {"id": "bi-2", "title": "Demo", "state": "disabled"}
    ours = {"id": "bi-3", "title": "Demo", "state": "active"}
    made = httpx.Response(201, json={"id": "bi-4"})
    gateway = Gateway(listing(others, disabled, ours), listing(others, disabled), made)
    async with gateway.bus() as bus:
        admin = Administration(bus)
        assert await admin.provide_client("bi", "Demo", ["publisher"]) == "bi-3"
        assert await admin.provide_client("bi", "Demo", ["publisher"]) == "bi-4"


async def test_a_third_secret_takes_the_place_of_the_oldest() -> None:
    made = httpx.Response(201, json={"id": "s3", "secret": "nbs_new"})
    gateway = Gateway(listing({"id": "s1"}, {"id": "s2"}), httpx.Response(204), made)
    async with gateway.bus() as bus:
        assert await Administration(bus).add_secret("bi-1") == "nbs_new"
    assert [(request.method, request.url.path) for request in gateway.requests] == [
        ("GET", "/v1/clients/bi-1/secrets"),
        ("DELETE", "/v1/clients/bi-1/secrets/s1"),
        ("POST", "/v1/clients/bi-1/secrets"),
    ]


async def test_a_grant_that_exists_is_as_good_as_a_new_one() -> None:
    gateway = Gateway(httpx.Response(201, json={}), problem(409, "conflict"), problem(404, "x"))
    async with gateway.bus() as bus:
        admin = Administration(bus)
        await admin.grant("bi", "subscribe", "id.go.bps.*")
        await admin.grant("bi", "subscribe", "id.go.bps.*")
        with pytest.raises(Problem, match="404"):
            await admin.grant("nobody", "subscribe", "id.go.bps.*")

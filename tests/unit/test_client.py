"""The client library publishes: what it repeats, and what it says."""

import json

import httpx
import pytest

from adapters.client import CallRetryPolicy, OutcomeUnknown, Problem, Receipt
from tests.unit.client_gateway import AT_ONCE, EVENT, RECEIPT, Answer, Gateway, a_problem, accepted


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
        a_problem(503, "journal-unavailable"),
        a_problem(500, "error"),
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
    refusal = a_problem(422, "contract-violation", violations=[violation], total=1)
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
    refused = {"status": 403, "problem": json.loads(a_problem(403, "forbidden").content)}
    results = [{"status": 202, "receipt": RECEIPT}, refused]
    answer = {"accepted": 1, "refused": 1, "results": results}
    gateway = Gateway(a_problem(503, "backlog-full"), httpx.Response(207, json=answer))
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
    withheld = {"status": 424, "problem": json.loads(a_problem(424, "withheld").content)}
    answer = {"accepted": 0, "refused": 1, "results": [withheld]}
    gateway = Gateway(httpx.Response(422, json=answer))
    async with gateway.bus() as bus:
        [only] = await bus.publish_batch([EVENT], atomic=True)
    assert isinstance(only, Problem)
    assert gateway.requests[0].url.query == b"atomic=true"


@pytest.mark.parametrize(
    ("failed", "error", "least", "most"),
    [
        (1, httpx.ReadTimeout(""), 0, 0.2),
        (3, httpx.ReadTimeout(""), 0, 0.8),
        (5, httpx.ReadTimeout(""), 0, 2.0),
        (1, Problem(429, "x", "", retry_after=1), 1, 1.2),
        (1, Problem(503, "x", "", retry_after=1), 1, 1.2),
        (1, Problem(503, "x", "", retry_after=3600), 2, 2.2),
    ],
)
def test_the_pause_grows_at_random_and_is_as_long_as_the_gateway_asks(
    failed: int, error: Exception, least: float, most: float
) -> None:
    policy = CallRetryPolicy(attempts=6, first_delay=0.2, longest_delay=2.0)
    delays = [policy.delay(failed, error) for _ in range(200)]
    found = [delay for delay in delays if delay is not None]
    assert len(set(found)) > 100
    assert least <= min(found)
    assert max(found) <= most
    assert policy.delay(6, error) is None


@pytest.mark.parametrize(
    ("header", "seconds"), [("2", 2.0), ("Wed, 21 Oct 2026 07:28:00 GMT", None)]
)
async def test_retry_after_is_read_in_seconds(header: str, seconds: float | None) -> None:
    answer = httpx.Response(503, headers={"retry-after": header})
    assert Problem.answered(answer).retry_after == seconds

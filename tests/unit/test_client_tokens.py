"""The client library's access tokens: fetched once, renewed in time."""

import asyncio
import base64

import httpx
import pytest

from adapters.client import Nusabus, Problem
from tests.unit.client_gateway import EVENT, Gateway, a_problem, accepted


async def test_one_token_serves_many_calls() -> None:
    gateway = Gateway(accepted(), accepted())
    async with gateway.bus() as bus:
        await bus.publish(EVENT)
        await bus.publish(EVENT)
    assert gateway.tokens == ["Bearer t1", "Bearer t1"]
    [login] = gateway.logins
    assert login.content == b"grant_type=client_credentials"
    assert base64.b64decode(login.headers["authorization"].split()[1]) == b"bmkg-1:s%26cret"


async def test_without_a_secret_the_certificate_of_the_connection_is_enough() -> None:
    gateway = Gateway(accepted())
    transport = httpx.MockTransport(gateway)
    async with Nusabus("http://bus", "bmkg-1", transport=transport) as bus:
        await bus.publish(EVENT)
    [login] = gateway.logins
    assert login.content == b"grant_type=client_credentials&client_id=bmkg-1"
    assert "authorization" not in login.headers


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
    gateway = Gateway(a_problem(401, "not-authenticated"), accepted())
    async with gateway.bus() as bus:
        await bus.publish(EVENT)
    assert gateway.tokens == ["Bearer t1", "Bearer t2"]


async def test_a_client_that_stays_refused_says_so() -> None:
    gateway = Gateway(a_problem(401, "not-authenticated"), a_problem(401, "not-authenticated"))
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

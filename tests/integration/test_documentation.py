"""`/docs` and `/openapi.json` of a gateway: whole, without foreign origins, and made once."""

import re
from concurrent.futures import ThreadPoolExecutor

from tests.bus import Bus
from tests.unit.test_documentation import Page


def test_every_operation_and_model_is_on_the_page(bus: Bus) -> None:
    document = bus.http.get("/openapi.json").json()
    answer = bus.http.get("/docs")
    page = Page(answer.content)
    operations = {
        each["operationId"] for path in document["paths"].values() for each in path.values()
    }
    models = {f"model-{name}" for name in document["components"]["schemas"]}
    assert operations | models <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert {each[1:] for each in page.links if each.startswith("#")} <= set(page.ids)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


def test_the_page_needs_nothing_but_itself(bus: Bus) -> None:
    answer = bus.http.get("/docs")
    policy = answer.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert not re.search(r"https?:|\*|data:", policy)
    assert "script" not in Page(answer.content).tags
    foreign = {each for each in Page(answer.content).links if "//" in each}
    assert foreign <= {"https://nusabus.go.id"}


def test_the_document_is_made_once(bus: Bus) -> None:
    """Made for each, 200 at once kept everybody else waiting for ten seconds."""
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: bus.http.get("/openapi.json").content, range(200)))
    assert len(set(answers)) == 1


def test_what_was_there_for_swagger_is_gone(bus: Bus) -> None:
    assert bus.http.get("/docs/oauth2-redirect").status_code == 401

"""A subscription that is pulled, for tests."""

from collections.abc import Sequence
from typing import Any

from tests.builders import a_name
from tests.bus import Actor


class Puller:
    """A subscription that is pulled."""

    def __init__(self, actor: Actor, *types: str, name: str = "", **more: Any) -> None:
        self.actor = actor
        self.name = name or a_name()
        answer = actor.put_subscription(self.name, *types, delivery="pull", **more)
        assert answer.status_code in (200, 201), answer.text
        self.made = answer.json()

    def call(self, what: str, **body: Any) -> Any:
        answer = self.actor.post(f"/v1/subscriptions/{self.name}/{what}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def receive(self, count: int = 100, wait: float = 5) -> list[dict[str, Any]]:
        return list(self.call("receive", max=count, wait=wait)["events"])

    def acknowledge(self, events: Sequence[dict[str, Any]]) -> list[str]:
        return list(self.call("acknowledge", tokens=tokens(events))["results"])


def tokens(events: Sequence[dict[str, Any]]) -> list[str]:
    return [event["token"] for event in events]


def ids(events: Sequence[dict[str, Any]]) -> list[str]:
    return [event["event"]["id"] for event in events]

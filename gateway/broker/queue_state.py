"""The state of a queue according to the statistics of the broker."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class QueueState:
    """A queue according to the statistics."""

    messages: int | None
    """Ready messages and those that consumers hold. None while the queue has reported nothing: for
    some seconds after it was declared or the broker started, and always if it has no leader."""
    unacknowledged: int
    consumers: int
    state: str
    """`running`, a failure (`down`, `minority`, `crashed`, `stopped`) or `unknown`."""
    arguments: Mapping[str, object]
    members: frozenset[str] = frozenset()
    """The nodes that have a replica. Empty if it is not a quorum queue."""
    available: bool = True
    """Whether it has a leader, and most of its members are online: else it confirms nothing, and
    its statistics may be of any age."""


def queue_state(item: Mapping[str, Any]) -> QueueState:
    """A queue as the management API shows it."""
    members, online = item.get("members") or (), item.get("online") or ()
    return QueueState(
        messages=item.get("messages"),
        unacknowledged=item.get("messages_unacknowledged", 0),
        consumers=item.get("consumers", 0),
        state=item.get("state", "unknown"),
        arguments=item.get("arguments", {}),
        members=frozenset(members),
        available=not members or (bool(item.get("leader")) and 2 * len(online) > len(members)),
    )

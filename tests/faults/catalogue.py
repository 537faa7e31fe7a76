"""The faults by name, and in which order a run carries them out."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from random import Random

from tests.faults import harm_processes, harm_receivers, harm_servers, harm_topology
from tests.faults.harm import Harm
from tests.faults.stage import Stage
from tests.faults.world import World

Fault = Callable[[World, Stage, Harm], Awaitable[str]]

FAULTS: Mapping[str, Fault] = {
    fault.__name__.replace("_", "-"): fault
    for fault in (
        harm_processes.kill_api,
        harm_processes.freeze_api,
        harm_processes.kill_relay,
        harm_processes.freeze_relay,
        harm_processes.cut_after_commit,
        harm_processes.cut_before_commit,
        harm_processes.cut_confirm,
        harm_processes.cut_subscriber,
        harm_servers.kill_broker,
        harm_servers.lose_queue,
        harm_servers.freeze_broker,
        harm_servers.alarm_memory,
        harm_servers.alarm_disk,
        harm_servers.end_subscription,
        harm_servers.stop_postgres,
        harm_topology.delete_queue,
        harm_topology.delete_queue_twice,
        harm_topology.delete_binding,
        harm_topology.delete_exchange,
        harm_topology.fill_queue,
        harm_topology.add_contract,
        harm_receivers.kill_deliver,
        harm_receivers.freeze_deliver,
        harm_receivers.cut_endpoint,
        harm_receivers.fail_endpoint,
        harm_receivers.forget_secret,
        harm_receivers.kill_consumer,
        harm_receivers.rotate_credentials,
        harm_receivers.withdraw_key,
        harm_receivers.deep_queue,
    )
}


SLOW = {"lose-queue"}
"""Takes a minute each time: for long runs."""


def a_round(seed: int, number: int, names: Sequence[str]) -> list[str]:
    """Each of the faults once, in an order that seed and number decide."""
    order = list(names)
    Random(f"{seed} {number}").shuffle(order)
    return order


def choices(seed: int, shots: int) -> Harm:
    """What a fault may choose freely, decided by the seed and how many there were before."""
    return Harm(Random(f"{seed} choices {shots}"))

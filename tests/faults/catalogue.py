"""The faults by name, and in which order a run carries them out."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from random import Random

from tests.faults import (
    cluster_faults,
    grpc_client_faults,
    grpc_faults,
    hostile_faults,
    overload_faults,
    process_faults,
    receiver_faults,
    server_faults,
    topology_faults,
)
from tests.faults.actors import Actors
from tests.faults.cluster import Cluster
from tests.faults.fault import Choices

Fault = Callable[[Cluster, Actors, Choices], Awaitable[str]]


def _named(*faults: Fault) -> Mapping[str, Fault]:
    return {fault.__name__.replace("_", "-"): fault for fault in faults}


FAULTS = _named(
    process_faults.kill_api,
    process_faults.freeze_api,
    process_faults.replace_apis,
    process_faults.kill_relay,
    process_faults.freeze_relay,
    process_faults.cut_after_commit,
    process_faults.cut_before_commit,
    process_faults.cut_confirm,
    process_faults.cut_subscriber,
    server_faults.kill_broker,
    server_faults.lose_queue,
    server_faults.freeze_broker,
    server_faults.alarm_memory,
    server_faults.alarm_disk,
    server_faults.end_subscription,
    server_faults.stop_postgres,
    server_faults.fill_disk,
    overload_faults.overload,
    topology_faults.delete_queue,
    topology_faults.delete_queue_twice,
    topology_faults.delete_binding,
    topology_faults.delete_exchange,
    topology_faults.fill_queue,
    topology_faults.add_contract,
    receiver_faults.kill_deliver,
    receiver_faults.freeze_deliver,
    receiver_faults.cut_endpoint,
    receiver_faults.fail_endpoint,
    receiver_faults.forget_secret,
    receiver_faults.kill_consumer,
    receiver_faults.rotate_credentials,
    receiver_faults.withdraw_key,
    receiver_faults.deep_queue,
    hostile_faults.publish_expensive,
    grpc_faults.kill_grpc,
    grpc_faults.drain_grpc,
    grpc_client_faults.slow_reader,
    grpc_client_faults.ignore_results,
    grpc_client_faults.malformed_frames,
    grpc_client_faults.cancel_calls,
)
"""Those of a gateway with one RabbitMQ and one PostgreSQL."""

CLUSTER_FAULTS = _named(
    cluster_faults.kill_broker_node,
    cluster_faults.lose_majority,
    cluster_faults.fail_over_database,
)
"""Those that need hosts to lose."""


SLOW = {"lose-queue"}
"""Takes a minute each time: for long runs."""


def a_round(seed: int, number: int, names: Sequence[str]) -> list[str]:
    """Each of the faults once, in an order that seed and number decide."""
    order = list(names)
    Random(f"{seed} {number}").shuffle(order)
    return order


def make_choices(seed: int, fault_results: int) -> Choices:
    """What a fault may choose freely, decided by the seed and how many there were before."""
    return Choices(Random(f"{seed} choices {fault_results}"))

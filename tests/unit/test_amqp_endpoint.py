"""Addresses derived from the AMQP URL."""

import pytest

from gateway.base.hosts import each_host
from gateway.broker.address import (
    credentials,
    management_url,
    subscriber_url,
    virtual_host,
    with_heartbeat,
)


@pytest.mark.parametrize(
    ("url", "vhost"),
    [
        ("amqp://h", "/"), ("amqp://h/", "/"), ("amqp://h/%2F", "/"), ("amqp://h/bus", "bus"),
        ("amqp://h/a%2Fb?heartbeat=3", "a/b"),
    ],
)  # fmt: skip
def test_the_virtual_host(url: str, vhost: str) -> None:
    assert virtual_host(url) == vhost


def test_a_cluster_has_several_hosts() -> None:
    url = "amqp://u:p%40w@a:5672,[::1]:5673,c/bus?heartbeat=3"
    assert each_host(url) == (
        "amqp://u:p%40w@a:5672/bus?heartbeat=3",
        "amqp://u:p%40w@[::1]:5673/bus?heartbeat=3",
        "amqp://u:p%40w@c/bus?heartbeat=3",
    )
    assert each_host("amqp://a/") == ("amqp://a/",)
    assert virtual_host(url) == "bus"
    assert credentials(url) == ("u", "p@w")
    assert with_heartbeat(url) == url
    assert subscriber_url(url, None, "s", "x") == "amqp://s:x@a:5672/bus"
    assert subscriber_url(url, "amqps://d:1,e:2", "s", "x") == "amqps://s:x@d:1/bus"


def test_the_credentials_are_unquoted() -> None:
    assert credentials("amqp://u%40x:p%2Fw@h/") == ("u@x", "p/w")
    assert credentials("amqp://h/") == ("guest", "guest")


@pytest.mark.parametrize(
    ("url", "api"),
    [
        ("amqp://u:p@broker/", "http://broker:15672"),
        ("amqp://broker:5801/", "http://broker:15801"),
        ("amqps://broker/", "https://broker:15671"),
        ("amqp://[::1]:5672/", "http://[::1]:15672"),
    ],
)
def test_the_management_api_is_beside_the_broker(url: str, api: str) -> None:
    assert management_url(url) == api


def test_the_heartbeat_is_ours_unless_the_url_names_one() -> None:
    assert with_heartbeat("amqp://h/%2F") == "amqp://h/%2F?heartbeat=10"
    assert with_heartbeat("amqp://h/?name=x") == "amqp://h/?name=x&heartbeat=10"
    assert with_heartbeat("amqp://h/?heartbeat=30") == "amqp://h/?heartbeat=30"


def test_a_subscriber_connects_where_it_can_reach_the_broker() -> None:
    ours = "amqp://admin:s@10.0.0.1:5672/bus"
    assert subscriber_url(ours, None, "sub.a.b", "p/w") == "amqp://sub.a.b:p%2Fw@10.0.0.1:5672/bus"
    assert (
        subscriber_url(ours, "amqps://bus.example.go.id", "sub.a.b", "pw")
        == "amqps://sub.a.b:pw@bus.example.go.id/bus"
    )
    assert subscriber_url("amqp://h/", None, "u", "p") == "amqp://u:p@h/%2F"

"""What a webhook may not reach, in every spelling of it."""

import pytest

from gateway.base.errors import Invalid
from gateway.delivery.webhook.addresses import (
    AddressPolicy,
    AddressProhibited,
    literal,
    networks_of,
    parse_endpoint_url,
)

STRICT = AddressPolicy()
INSIDE = AddressPolicy(networks_of("10.20.0.0/16, fd12:3456::/32, 127.0.0.0/8"), plain=True)
EVERYTHING = AddressPolicy(networks_of("0.0.0.0/0,::/0"), plain=True)

PUBLIC = ["1.1.1.1", "8.8.4.4", "103.10.66.1", "2400:cb00:2048:1::6810:1", "2606:4700::1111"]
NOT_PUBLIC = [
    "10.0.0.1", "100.64.0.1", "127.0.0.1", "127.255.255.254", "172.16.0.1",
    "172.31.255.255", "192.168.1.1", "192.0.0.8", "192.0.2.1", "192.88.99.1", "198.18.0.1",
    "198.51.100.7", "203.0.113.9", "240.0.0.1", "::1", "fc00::1", "fd12:3456::1",
    "fec0::1", "::127.0.0.1", "::a00:1", "2001:db8::1", "2001:10::1", "2001:20::1", "3fff::1",
    "100::1", "5f00::1", "4000::1",
]  # fmt: skip
NEVER = [
    "0.0.0.0", "0.1.2.3", "169.254.169.254", "169.254.170.2", "169.254.170.23", "169.254.0.23",
    "169.254.1.1", "100.100.100.200", "168.63.129.16", "fd00:ec2::23", "fd20:ce::254", "fe80::1",
    "fe80::a9fe:a9fe", "::ffff:0:127.0.0.1", "::ffff:0:8.8.8.8",
    "192.0.0.192", "224.0.0.1", "239.255.255.250", "255.255.255.255", "::", "ff02::1",
    "fd00:ec2::254", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:a00:1", "64:ff9b::7f00:1",
    "64:ff9b::8.8.8.8", "64:ff9b:1::1", "2002:7f00:1::", "2002:0808:0808::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2", "fe80::1%1",
]  # fmt: skip


def permits(policy: AddressPolicy, address: str, port: int = 443, *, secure: bool = True) -> bool:
    found = literal(address)
    assert found is not None
    try:
        policy.check_address(found, port=port, secure=secure)
    except AddressProhibited:
        return False
    return True


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_may_be_called_by_https_alone(address: str) -> None:
    assert permits(STRICT, address)
    assert permits(STRICT, address, 8443)
    assert not permits(STRICT, address, 80, secure=False)
    assert not permits(INSIDE, address, 80, secure=False)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_others_only_where_the_operator_approves(address: str) -> None:
    assert not permits(STRICT, address)
    assert permits(EVERYTHING, address)


@pytest.mark.parametrize("address", NEVER)
def test_some_never(address: str) -> None:
    assert not permits(EVERYTHING, address)


@pytest.mark.parametrize("port", [0, 22, 25, 53, 80, 5432, 5672, 6379, 9200, 11211, 15672])
def test_public_addresses_on_ports_of_the_web_only(port: int) -> None:
    assert not permits(STRICT, "8.8.8.8", port)


def test_inside_approved_networks_any_port_and_http() -> None:
    assert permits(INSIDE, "10.20.3.4", 9000, secure=False)
    assert not permits(INSIDE, "10.21.3.4", 443)
    assert not permits(AddressPolicy(INSIDE.networks), "10.20.3.4", 80, secure=False)


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/", "https://127.1/", "https://2130706433/", "https://0x7f000001/",
        "https://0x7f.0.0.1/", "https://0177.0.0.1/", "https://127.0.0.1./", "https://[::1]/",
        "https://[::ffff:127.0.0.1]/", "https://[::ffff:7f00:1]/", "https://[fe80::1%25eth0]/",
        "https://169.254.169.254/latest/meta-data/", "https://①②⑦.⓪.⓪.①/", "https://a.0x1/",
        "https://user@example.com/", "https://example.com@127.0.0.1/", "https://example.com/#x",
        "https://example.com\\@127.0.0.1/", "https://exa mple.com/", "https://exam\tple.com/",
        "https://example.com:99999/", "https://example.com:x/", "https:///x", "https://", "",
        "http://example.com/", "ftp://example.com/", "file:///etc/passwd", "//example.com/",
        "gopher://127.0.0.1:6379/_INFO", "https://-a.example.com/", "https://a..example.com/",
        "https://" + "a" * 64 + ".com/", "https://münchen.de/", "https://[v1.x]/", "https://[::1/",
        "https://example.com/" + "a" * 2000, "https://exam%70le.com/", "https://8.8.8.8:22/",
        "https://*.example.com/", "https://example.com/\r\nx: y", "https://127.0.1/",
        "https://017700000001/", "https://0x7f.1/", "https://0/", "https://0x7f000001./",
        "https://2130706433./", "https://127.0.0.1../", "https://127%2e0%2e0%2e1/",
        "https://127。0。0。1/", "https://[::]/", "https://[::127.0.0.1]/", "https://[fe80::1%eth0]/",
        "https://[0:0:0:0:0:ffff:127.0.0.1]/", "https://[64:ff9b::127.0.0.1]/", "https://[::1%25lo]/",
        "https://[2002:7f00:1::]/", "https://[::ffff:0:127.0.0.1]/", "https://[fe80::1]/",
        "https://user:secret@8.8.8.8/", "https://@8.8.8.8/", "https://8.8.8.8:443@10.0.0.1/",
        "https://8.8.8.8 &@10.0.0.1/", "https://8.8.8.8\x00.example.com/", "https://8.8.8.8:0/",
        "HTTPS://127.0.0.1/", "https://169.254.169.254:443/", "https://[8.8.8.8]/",
    ],
)  # fmt: skip
def test_urls_that_are_refused_at_once(url: str) -> None:
    with pytest.raises(Invalid) as refusal:
        parse_endpoint_url(url, STRICT)
    assert refusal.value.pointer == "/terms/endpoint/url"


def test_urls_that_are_taken() -> None:
    read = parse_endpoint_url("https://Layanan.Example.go.id:8443/a/b?x=1&y=%20", STRICT)
    assert read == (True, "layanan.example.go.id", 8443, "/a/b?x=1&y=%20")
    assert read.authority == "layanan.example.go.id:8443"
    assert parse_endpoint_url("https://example.com.", STRICT).authority == "example.com"
    assert parse_endpoint_url("https://[2606:4700::1111]?q", STRICT).path == "/?q"
    assert parse_endpoint_url("https://[2606:4700::1111]/", STRICT).authority == "[2606:4700::1111]"
    assert parse_endpoint_url("http://127.0.0.1:8000/", INSIDE) == (False, "127.0.0.1", 8000, "/")
    assert parse_endpoint_url("http://dalam.example/", INSIDE).port == 80

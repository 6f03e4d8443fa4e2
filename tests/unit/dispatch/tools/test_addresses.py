"""A tool reaches public addresses only, however a private one is written."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.tools.addresses import AllowedHosts, HostRefused, is_public

pytestmark = pytest.mark.unit

PRIVATE = (
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "169.254.170.2",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::7f00:1",
    "100::1",
    "2001::1",
    "2001:0:7f00:1::",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "2606:4700:4700::1111%eth0",
)
PUBLIC = (
    "1.1.1.1",
    "8.8.8.8",
    "100.63.255.255",
    "100.128.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2a00:1450:4001:80f::200e",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
)


@pytest.mark.parametrize("address", PRIVATE)
def test_a_special_address_is_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_judged_alike_in_every_ipv6_writing(
    address: ipaddress.IPv4Address,
) -> None:
    mapped = ipaddress.IPv6Address(f"::ffff:{address}")
    nat64 = ipaddress.IPv6Address(int(ipaddress.IPv6Address("64:ff9b::")) + int(address))
    assert is_public(mapped) == is_public(nat64) == is_public(address)
    assert not is_public(ipaddress.IPv6Address(int(address)))
    assert not is_public(ipaddress.IPv6Address((0x2002 << 112) | (int(address) << 80)))


@given(st.ip_addresses())
def test_nothing_is_public_that_python_knows_as_private(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    if address.is_private or address.is_loopback or address.is_link_local or address.is_multicast:
        embedded = getattr(address, "ipv4_mapped", None)
        assert not is_public(address) or (embedded is not None and is_public(embedded))


@pytest.mark.parametrize(
    ("scheme", "host", "port"),
    [
        ("http", "example.com", 80),
        ("https", "127.0.0.1", 443),
        ("https", "::1", 443),
        ("https", "169.254.169.254", 443),
        ("ftp", "example.com", 21),
    ],
)
def test_a_url_that_tells_by_itself_is_refused_before_any_lookup(
    scheme: str, host: str, port: int
) -> None:
    with pytest.raises(HostRefused):
        AllowedHosts().check(scheme, host, port)


@pytest.mark.parametrize(
    ("entry", "host", "port", "allowed"),
    [
        ("crm.internal", "crm.internal", 80, True),
        ("crm.internal", "CRM.internal.", 8080, True),
        ("crm.internal:8080", "crm.internal", 8080, True),
        ("crm.internal:8080", "crm.internal", 80, False),
        ("crm.internal", "evil.crm.internal", 80, False),
        ("internal", "crm.internal", 80, False),
        ("[::1]:9000", "::1", 9000, True),
        ("[::1]", "::1", 80, True),
        ("127.0.0.1", "127.0.0.2", 80, False),
    ],
)
def test_a_host_is_allowed_by_its_whole_name_and_maybe_its_port(
    entry: str, host: str, port: int, *, allowed: bool
) -> None:
    assert AllowedHosts([entry]).names(host, port) is allowed

"""Which addresses a tenant's tool may connect to: public ones, and hosts allowed by name.

A tool's URL is written by a tenant, and our servers stand in a network that tenants must not see:
databases, cloud metadata, each other. Addresses are judged after the name was resolved, and the
connection goes to the very address that was judged, so a name that answers differently the second
time gains nothing.

Source of the special addresses: IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890).
"""

import ipaddress
from collections.abc import Iterable
from typing import Final

from dispatch.errors import DispatchError

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_REFUSED_V4: Final = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # this host
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # carrier-grade NAT; Alibaba's metadata
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's own services, at a public address
        "169.254.0.0/16",  # link-local; the metadata of most clouds
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # protocol assignments; Oracle's metadata
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)

_GLOBAL_V6: Final = ipaddress.IPv6Network("2000::/3")
"""All that is assigned as global unicast; everything else in IPv6 is special."""

_REFUSED_V6: Final = tuple(
    ipaddress.IPv6Network(text)
    for text in (
        "2001::/23",  # protocol assignments: Teredo, ORCHID, benchmarks
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which carries any IPv4 address
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
)

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


class HostRefused(DispatchError):
    """The tool may not connect there; the text says why and names no address that was found."""


def is_public(address: IPAddress) -> bool:
    """Whether an address is a public host's, seen through every way of writing IPv4 as IPv6."""
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _REFUSED_V4)
    if address.scope_id is not None:
        return False
    if address.ipv4_mapped is not None:
        return is_public(address.ipv4_mapped)
    if address in _NAT64:
        # DNS64 makes these for public hosts in networks without IPv4.
        return is_public(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
    return address in _GLOBAL_V6 and not any(address in network for network in _REFUSED_V6)


class AllowedHosts:
    """Hosts that the installation's operator allows by name, wherever they are.

    Args:
        entries: Each a host, or `host:port`, as it stands in URLs; IPv6 in brackets.
    """

    def __init__(self, entries: Iterable[str] = ()) -> None:
        self._entries = frozenset(entry.strip().lower().rstrip(".") for entry in entries)

    def names(self, host: str, port: int) -> bool:
        """Whether this host is allowed by name, on every port or on this one.

        Args:
            host: As in the URL; an IPv6 address without brackets.
            port: The port, also where the URL leaves it out.
        """
        name = host.lower().rstrip(".")
        written = f"[{name}]" if ":" in name else name
        return written in self._entries or f"{written}:{port}" in self._entries

    def check(self, scheme: str, host: str, port: int) -> None:
        """Check what a URL tells by itself, before anything is looked up.

        Raises:
            HostRefused: It is plain HTTP, or a private address, and not allowed by name.
        """
        if self.names(host, port):
            return
        if scheme != "https":
            raise HostRefused("Tools are called over https; this host is not allowed otherwise.")
        address = literal_address(host)
        if address is not None and not is_public(address):
            raise HostRefused("This address is not a public one.")


def literal_address(host: str) -> IPAddress | None:
    """Return a host that is an address as one, None for a name.

    Other ways of writing an address (`127.1`, `0x7f000001`) count as names here, and are judged
    like them by what they resolve to.
    """
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None

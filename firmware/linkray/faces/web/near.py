"""Addresses: which host names are ours, and who comes from a directly attached network."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

OURS = re.compile(r"^linkray-[a-z0-9-]{1,40}(\.local)?$")  # interfaces.md, Being found
FAR = ("wwan", "ppp", "wg", "tun", "tap", "rmnet")  # cellular and remote access (trust.md 4, 2)
_HOST = re.compile(r"^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.\-_]+))(?::([0-9]{1,5}))?$")


def plain(address: str) -> Address | None:
    """An address without zone; an IPv4 one inside IPv6 as the IPv4 one it is."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped  # Python 3.11 calls ::ffff:127.0.0.1 no loopback (trust.md A26)
    return found


def source_of(client: str) -> str:
    """Under which name tries are counted: an IPv6 neighbour has a whole /64 to come from."""
    address = plain(client)
    if isinstance(address, IPv6Address) and not address.is_loopback:
        return str(IPv6Network((address, 64), strict=False))
    return client if address is None else str(address)


def host_of(header: str) -> str | None:
    """The host in a Host header, lower case, without port and brackets; None: unreadable."""
    match = _HOST.match(header)
    return (match[1] or match[2]).lower().rstrip(".") if match else None


def is_ours(header: str, server: str, names: Container[str]) -> bool:
    """Whether a Host header names this box (trust.md A15).

    Our names, `linkray-…`, loopback, or the very address the connection came in on: a page of
    somebody else's whose name was bent to our address (DNS rebinding) has another host.
    """
    host = host_of(header)
    if host is None:
        return False
    address = plain(host)
    if address is not None:
        return address.is_loopback or address == plain(server)
    return host == "localhost" or OURS.match(host) is not None or host in names


def is_near(client: str, networks: Iterable[Network]) -> bool:
    """Whether it comes from loopback, a link-local or a private directly attached network."""
    address = plain(client)
    if address is None:
        return False
    if address.is_loopback or address.is_link_local:
        return True
    return address.is_private and any(
        address.version == network.version and address in network for network in networks
    )


def attached_v4(routes: str) -> list[Network]:
    """Directly attached networks of `/proc/net/route`: those without a gateway."""
    found: list[Network] = []
    for line in routes.splitlines()[1:]:
        words = line.split()
        if len(words) < 8 or words[0].startswith(FAR) or words[2] != "00000000":
            continue
        base, mask = (int.from_bytes(bytes.fromhex(words[i]), "little") for i in (1, 7))
        if mask:
            found.append(IPv4Network((base, mask.bit_count()), strict=False))
    return found


def attached_v6(routes: str) -> list[Network]:
    """Directly attached networks of `/proc/net/ipv6_route`."""
    found: list[Network] = []
    for line in routes.splitlines():
        words = line.split()
        if len(words) < 10 or words[9].startswith(FAR) or words[4] != "0" * 32:
            continue
        length = int(words[1], 16)
        if 0 < length < 128:
            base = IPv6Address(bytes.fromhex(words[0]))
            found.append(ip_network(f"{base}/{length}", strict=False))
    return found

"""Whom failures count for when nothing is known of a client but its address."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address

_IPV6_HOST_BITS = 64


def network_of(address: str) -> str:
    """What counts as one address: of IPv6 the /64, which is one customer's. Other text stands for itself."""
    try:
        ip = ip_address(address.strip())
    except ValueError:
        return address.encode(errors="backslashreplace").decode()
    if not isinstance(ip, IPv6Address):
        return str(ip)
    if ip.ipv4_mapped:
        return str(ip.ipv4_mapped)
    return f"{IPv6Address(int(ip) >> _IPV6_HOST_BITS << _IPV6_HOST_BITS)}/{_IPV6_HOST_BITS}"

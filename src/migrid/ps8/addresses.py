"""Names of services, asked for again and again: a service that was made anew has another address."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

IPV6_FORWARDING = Path("/proc/sys/net/ipv6/conf/all/forwarding")

_AT_ONCE = 9
_SHORT = "timeout:1 attempts:1"
"""resolv.conf(5): one name server that is silent must not delay all others."""

_log = logging.getLogger("ps8")


@dataclass(frozen=True)
class Address:
    """What a name leads to, by each version of IP; empty where it has none."""

    ipv4: str = ""
    ipv6: str = ""

    def __bool__(self) -> bool:
        return bool(self.ipv4 or self.ipv6)


Addresses = Mapping[str, Address]
"""The addresses of all names; a name that cannot be resolved has an empty one."""


class Resolver:
    """Looks names up. A name with several addresses keeps the one that it had as long as that is one of them."""

    def __init__(self) -> None:
        os.environ.setdefault("RES_OPTIONS", _SHORT)
        self._known: dict[str, Address] = {}
        self._pool = ThreadPoolExecutor(_AT_ONCE)

    def look_up(self, names: Iterable[str]) -> Addresses:
        """The addresses now. What changed is logged."""
        asked = sorted(names)
        found = dict(zip(asked, self._pool.map(self._address, asked), strict=True))
        for name, address in found.items():
            _tell(name, self._known.get(name), address)
        self._known = found
        return found

    def _address(self, name: str) -> Address:
        before = self._known.get(name, Address())
        ipv6 = _chosen(name, socket.AF_INET6, before.ipv6) if forwards_ipv6() else ""
        return Address(_chosen(name, socket.AF_INET, before.ipv4), ipv6)


def forwards_ipv6() -> bool:
    """Whether this container passes IPv6 on."""
    try:
        return IPV6_FORWARDING.read_text(encoding="ascii").strip() == "1"
    except OSError:
        return False


def _chosen(name: str, family: socket.AddressFamily, before: str) -> str:
    try:
        answers = socket.getaddrinfo(name, None, family, socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return ""
    found = [str(answer[4][0]) for answer in answers]
    return before if before in found else found[0]


def _tell(name: str, before: Address | None, now: Address) -> None:
    if before == now:
        return
    if now:
        _log.info("%s is at %s", name, " and ".join(filter(None, (now.ipv4, now.ipv6))))
    else:
        _log.warning("%s cannot be resolved: what leads there is dropped until it can be", name)

"""Ports that refuse whoever comes: for each application that is held, one table of the kernel's packet filter.

It comes before the engine's own rules, which lead published ports to containers, and stays when the engine restarts.
The containers reach each other, and the probe of a move carries a mark that is let through.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from ipaddress import ip_address

from . import names
from .application import Port
from .errors import EngineError
from .local.probing import MARK

_PROGRAM = "nft"
_SECONDS = 30.0
_REJECT = {"tcp": "reject with tcp reset", "udp": "reject"}


def ruleset(app: str, ports: Sequence[Port]) -> str:
    """What `nft` is told. The table is replaced as a whole, or not at all."""
    rules = list(_rules(ports))
    return "\n".join(
        [
            _without(app),
            f"table inet {table(app)} {{",
            *_chain("coming_in", "prerouting", ['iif "lo" accept', *rules]),
            *_chain("from_here", "output", [f"meta mark {MARK:#x} accept", *rules]),
            "}\n",
        ]
    )


def table(app: str) -> str:
    """The name of an application's table. A dash may be in no such name, and a dot in none of an application."""
    return f"mig_hold_{names.application(app).replace('-', '.')}"


class NftHold:
    """A `holding.Hold` by nftables."""

    def check(self, app: str, ports: Sequence[Port]) -> None:
        _nft(ruleset(app, ports), "--check")

    def put(self, app: str, ports: Sequence[Port]) -> None:
        _nft(ruleset(app, ports))

    def end(self, app: str) -> None:
        _nft(_without(app))


def _without(app: str) -> str:
    """To delete a table that is not there would be an error."""
    return f"table inet {table(app)}\ndelete table inet {table(app)}\n"


def _chain(name: str, hook: str, rules: Sequence[str]) -> Iterator[str]:
    yield f"    chain {name} {{"
    yield f"        type filter hook {hook} priority mangle; policy accept;"
    yield from (f"        {rule}" for rule in rules)
    yield "    }"


def _rules(ports: Sequence[Port]) -> Iterator[str]:
    for port in ports:
        if port.protocol in _REJECT:
            yield f"{_destination(port.host_address)} {port.protocol} dport {port.host_port} {_REJECT[port.protocol]}"


def _destination(address: str) -> str:
    """Which addresses of this host are meant; none is all of them."""
    if not address or ip_address(address).is_unspecified:
        return "fib daddr type local"
    return f"{'ip6' if ip_address(address).version == 6 else 'ip'} daddr {ip_address(address)}"


def _nft(script: str, *options: str) -> None:
    try:
        done = subprocess.run(
            [_PROGRAM, *options, "-f", "-"], input=script, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except FileNotFoundError:
        raise EngineError("There is no command nft; install the package nftables on this grid.") from None
    except subprocess.TimeoutExpired:
        raise EngineError(f"nft did not end within {_SECONDS:.0f} seconds.") from None
    if done.returncode:
        words = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise EngineError(f"The packet filter cannot hold ports back: {words[0]}")

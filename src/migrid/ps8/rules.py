"""The rules of the port switch, in the words of nft(8)."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType

from .addresses import Address, Addresses
from .properties import AUX, OUTPUTS, ClientAddress, Output, Properties, Protocol, text_of

MARKS = MappingProxyType({kind: number for number, kind in enumerate(ClientAddress, 1)})
"""Each connection carries the number of its kind."""

LISTENERS = MappingProxyType({output: 61000 + number for number, output in enumerate(OUTPUTS, 1)})
"""The ports of the proxies: above those that the kernel gives to outgoing connections by itself."""

_HEAD = """\
table inet ps8
flush table inet ps8
table inet ps8 {
    chain switched {
        type nat hook prerouting priority dstnat; policy accept;
        iif "lo" accept
        fib daddr type != local accept
        tcp flags & (fin | syn | rst | ack) != syn reject with tcp reset
"""
_TAIL = f"""\
    chain forwarded {{
        type filter hook forward priority filter; policy drop;
        ct state established,related accept
        ct mark != 0 accept
    }}
    chain kept {{
        type filter hook input priority filter; policy accept;
        ct state invalid drop
    }}
    chain leaving {{
        type nat hook postrouting priority srcnat; policy accept;
        ct mark {MARKS[ClientAddress.HIDDEN]} masquerade
    }}
}}
"""


def ruleset(properties: Properties, addresses: Addresses) -> str:
    """All rules, to be put in the place of those before in one transaction.

    The chains stay, because a packet could come in the moment between two of one name. Only the first packet of a
    connection goes through those that switch; the kernel remembers where it leads.
    """
    outputs = (*properties.outputs, properties.aux)
    lines = [
        *(f"        {rule}" for output in properties.outputs for rule in _matches(output)),
        f"        goto {AUX}",
        "    }",
        *(line for output in outputs for line in _chain(output, addresses.get(output.address, Address()))),
    ]
    return "".join((_HEAD, *(f"{line}\n" for line in lines), _TAIL))


def _matches(output: Output) -> Iterator[str]:
    for protocol in Protocol:
        ports = ", ".join(map(text_of, output.ports(protocol)))
        if ports:
            yield f"{protocol} dport {{ {ports} }} goto {output.name}"


def _chain(output: Output, address: Address) -> Iterator[str]:
    yield f"    chain {output.name} {{"
    if address:
        yield f"        ct mark set {MARKS[output.client_address]}"
        yield from (f"        {rule}" for rule in _destinations(output, address))
    yield "        drop"
    yield "    }"


def _destinations(output: Output, address: Address) -> Iterator[str]:
    if output.client_address is ClientAddress.PROXY_PROTOCOL:
        yield f"meta nfproto ipv4 meta l4proto tcp redirect to :{LISTENERS[output.name]}"
        return
    match, port = ("meta l4proto { tcp, udp } ", f":{output.out_port}") if output.out_port else ("", "")
    if address.ipv4:
        yield f"{match}dnat ip to {address.ipv4}{port}"
    if address.ipv6:
        yield f"{match}dnat ip6 to [{address.ipv6}]{port}"

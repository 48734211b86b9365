"""The properties of the port switch: lines that its owner writes, read into outputs.

Nothing is asked of the machine but the names of ports in /etc/services.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

from .errors import PropertiesError

AUX = "aux"
OUTPUTS = tuple(f"out{number}" for number in range(1, 9))

_FIELDS = ("protocol", "in_port", "out_port", "address", "proxy_protocol", "transparent")
_AUX_FIELDS = ("address", "transparent")
KNOWN = (
    *(f"{output}_{field}" for output in OUTPUTS for field in _FIELDS),
    *(f"{AUX}_{field}" for field in _AUX_FIELDS),
)

_OURS = re.compile(r"(out\d*|aux)_", re.ASCII | re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9])?|[0-9A-Fa-f:.]{2,45}", re.ASCII)
_NUMBERS = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?", re.ASCII)
_SWITCH = {"": False, "no": False, "false": False, "yes": True, "true": True}
_KNOWN_ACCEPTED = (
    f"There are {OUTPUTS[0]}_… to {OUTPUTS[-1]}_… with {', '.join(_FIELDS)}, and {AUX}_… with {', '.join(_AUX_FIELDS)}."
)
_PORTS_ACCEPTED = "a number from 1 to 65535, a range such as 8000-8010, or a name from /etc/services such as https"

Ports = tuple[range, ...]
"""Ranges of ports in ascending order that do not touch each other."""


class Protocol(StrEnum):
    """What is switched by port."""

    TCP = "tcp"
    UDP = "udp"


class ClientAddress(StrEnum):
    """What the application is told of the client's address."""

    HIDDEN = "hidden"
    """Connections come from the port switch."""
    TRANSPARENT = "transparent"
    """Connections come from the client, and the answers have to come back through the port switch."""
    PROXY_PROTOCOL = "proxy_protocol"
    """Connections come from the port switch, and begin with a header that names the client."""


@dataclass(frozen=True)
class Output:
    """Where traffic leads to. Without an address it is unconnected, and what comes is dropped."""

    name: str
    address: str = ""
    client_address: ClientAddress = ClientAddress.HIDDEN
    tcp: Ports = ()
    udp: Ports = ()
    out_port: int | None = None

    def ports(self, protocol: Protocol) -> Ports:
        return self.tcp if protocol is Protocol.TCP else self.udp


@dataclass(frozen=True)
class Properties:
    """The outputs in use, and that of all other traffic."""

    outputs: tuple[Output, ...]
    aux: Output

    def output(self, protocol: str, port: int) -> Output:
        """Where traffic to this port of the port switch leads. Protocols other than TCP and UDP have no ports."""
        if protocol in tuple(Protocol):
            for output in self.outputs:
                if any(port in ports for ports in output.ports(Protocol(protocol))):
                    return output
        return self.aux

    @property
    def addresses(self) -> frozenset[str]:
        """The names that have to be resolved."""
        return frozenset(output.address for output in (*self.outputs, self.aux) if output.address)


def from_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Those variables that are meant for the port switch, well written or not."""
    return {name: value for name, value in environment.items() if _OURS.match(name)}


def from_file(text: str) -> dict[str, str]:
    """The lines `name=value`; empty ones and those that begin with # say nothing. Raises PropertiesError."""
    found: dict[str, str] = {}
    problems = []
    for number, line in enumerate(text.splitlines(), 1):
        name, equals, value = line.partition("=")
        name = name.strip()
        if not line.strip() or name.startswith("#"):
            continue
        if not equals:
            problems.append(f"line {number}: {line.strip()!r} is not of the form name=value.")
        elif name in found:
            problems.append(f"line {number}: {name} is there a second time; keep one of them.")
        found[name] = value
    if problems:
        raise PropertiesError("\n".join(problems))
    return found


def parse(given: Mapping[str, str]) -> Properties:
    """The outputs that the properties describe. Raises PropertiesError, which has every wrong one."""
    reader = _Reader({name: value.strip() for name, value in given.items()})
    outputs = tuple(output for name in OUTPUTS if (output := reader.output(name)))
    aux = Output(AUX, reader.address(AUX), reader.client_address(AUX))
    problems = [*_unknown(given), *reader.problems, *_claimed_twice(outputs)]
    if problems:
        raise PropertiesError("\n".join(problems))
    return Properties(outputs, aux)


def text_of(ports: range) -> str:
    """One port or a range as people write it."""
    return str(ports.start) if len(ports) == 1 else f"{ports.start}-{ports.stop - 1}"


class _Reader:
    """Reads values, and notes those that are not accepted."""

    def __init__(self, given: Mapping[str, str]) -> None:
        self._given = given
        self.problems: list[str] = []

    def output(self, name: str) -> Output | None:
        """The output, unless it is not in use."""
        protocols = self._protocols(name)
        tcp, udp = (self._in_ports(name, protocol, protocols) for protocol in Protocol)
        output = Output(name, self.address(name), self.client_address(name), tcp, udp, self._out_port(name))
        if protocols and not self._value(name, "in_port"):
            self._refuse(name, "in_port", f"the ports that {name} takes: {_PORTS_ACCEPTED}")
        if output.client_address is ClientAddress.PROXY_PROTOCOL and Protocol.UDP in protocols:
            self._refuse(name, "proxy_protocol", f"no, unless {name}_protocol is tcp: UDP has no connections")
        return output if protocols else None

    def address(self, name: str) -> str:
        address = self._value(name, "address")
        if address and not _NAME.fullmatch(address):
            self._refuse(name, "address", "the name of a service of the application, or an IP address")
        return address

    def client_address(self, name: str) -> ClientAddress:
        proxy_protocol, transparent = self._switch(name, "proxy_protocol"), self._switch(name, "transparent")
        if proxy_protocol and transparent:
            self._refuse(name, "transparent", f"no while {name}_proxy_protocol is yes: choose one of them")
        if proxy_protocol:
            return ClientAddress.PROXY_PROTOCOL
        return ClientAddress.TRANSPARENT if transparent else ClientAddress.HIDDEN

    def _protocols(self, name: str) -> tuple[Protocol, ...]:
        known = {"": (), "none": (), "tcp": (Protocol.TCP,), "udp": (Protocol.UDP,), "both": tuple(Protocol)}
        value = self._value(name, "protocol").lower()
        if value not in known:
            self._refuse(name, "protocol", "none, tcp, udp or both")
        return known.get(value, ())

    def _in_ports(self, name: str, protocol: Protocol, protocols: tuple[Protocol, ...]) -> Ports:
        words = self._value(name, "in_port").replace(",", " ").split()
        found = [self._ports(name, "in_port", word, protocol) for word in words]
        return merged(found) if protocol in protocols else ()

    def _out_port(self, name: str) -> int | None:
        value = self._value(name, "out_port")
        if not value:
            return None
        ports = self._ports(name, "out_port", value, Protocol.TCP)
        if len(ports) > 1:
            self._refuse(name, "out_port", "one port; leave it empty if all are to keep theirs")
        return ports.start

    def _ports(self, name: str, field: str, word: str, protocol: Protocol) -> range:
        """What one word means; a name that a protocol does not have is that of the other one."""
        numbers = _NUMBERS.fullmatch(word)
        if numbers:
            first, last = int(numbers[1]), int(numbers[2] or numbers[1])
        else:
            first = last = _named(word, protocol) or _named(word, *Protocol)
        if not 1 <= first <= last <= 65535:
            self._refuse(name, field, _PORTS_ACCEPTED, word)
        return range(first, last + 1)

    def _switch(self, name: str, field: str) -> bool:
        value = self._value(name, field).lower()
        if value not in _SWITCH:
            self._refuse(name, field, "yes or no")
        return _SWITCH.get(value, False)

    def _value(self, name: str, field: str) -> str:
        return self._given.get(f"{name}_{field}", "")

    def _refuse(self, name: str, field: str, accepted: str, word: str = "") -> None:
        value = self._value(name, field)
        wrong = f"{word!r} in {value!r}" if word and word != value else repr(value)
        problem = f"{name}_{field}: {wrong} is not accepted. Accepted is {accepted}."
        if problem not in self.problems:
            self.problems.append(problem)


def merged(found: Iterable[range]) -> Ports:
    """The same ports, in order and in as few ranges as there can be."""
    ports: list[range] = []
    for more in sorted(found, key=lambda each: each.start):
        if ports and more.start <= ports[-1].stop:
            ports[-1] = range(ports[-1].start, max(ports[-1].stop, more.stop))
        else:
            ports.append(more)
    return tuple(ports)


def _named(name: str, *protocols: Protocol) -> int:
    for protocol in protocols:
        try:
            return socket.getservbyname(name, protocol)
        except (OSError, UnicodeError, ValueError):
            continue
    return 0


def _unknown(given: Mapping[str, str]) -> Iterator[str]:
    for name in given:
        if name not in KNOWN:
            similar = get_close_matches(name.lower(), KNOWN, 1)
            meant = f" Is {similar[0]} meant?" if similar else ""
            yield f"{name} is no property.{meant} {_KNOWN_ACCEPTED}"


def _claimed_twice(outputs: tuple[Output, ...]) -> Iterator[str]:
    for number, output in enumerate(outputs):
        for other in outputs[number + 1 :]:
            for protocol in Protocol:
                for common in _common(output.ports(protocol), other.ports(protocol)):
                    yield (
                        f"{output.name}_in_port and {other.name}_in_port both have {protocol} port {text_of(common)}."
                        " One port can lead to one output only: take it out of one of them."
                    )


def _common(ports: Ports, others: Ports) -> Iterator[range]:
    for one in ports:
        for other in others:
            common = range(max(one.start, other.start), min(one.stop, other.stop))
            if common:
                yield common

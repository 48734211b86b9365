"""The kernel's table of connections, asked and told by netlink(7).

conntrack(8) reads the whole table for each connection that it deletes, which takes minutes where there are thousands.
Formats: linux/netlink.h, linux/netfilter/nfnetlink.h and nfnetlink_conntrack.h.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterable, Iterator
from contextlib import closing

from .errors import SwitchError
from .flows import Flow
from .properties import Protocol

_NETLINK_NETFILTER = 12
_GET, _DELETE = 0x101, 0x102
_REQUEST, _ACKNOWLEDGE, _ALL = 0x1, 0x4, 0x300
_ERROR, _DONE = 2, 3
_BUFFER = 1 << 16
_MESSAGE = struct.Struct("=IHHII")
_FAMILY = struct.Struct(">BBH")
_ATTRIBUTE = struct.Struct("=HH")
_TYPE = 0x3FFF
_NESTED = 0x8000

_ORIGINAL, _REPLY, _MARK, _ID = 1, 2, 8, 12
_IP, _PROTOCOL = 1, 2
_IPV4_SOURCE, _IPV6_SOURCE = 1, 3
_NUMBER, _SOURCE_PORT, _DESTINATION_PORT = 1, 2, 3
_NAMES = {socket.IPPROTO_TCP: Protocol.TCP, socket.IPPROTO_UDP: Protocol.UDP}


def flows() -> list[Flow]:
    """The connections that the port switch leads; those have a mark. Raises SwitchError."""
    found = []
    with closing(_opened()) as connection:
        connection.send(_request(_GET, _REQUEST | _ALL, socket.AF_UNSPEC))
        for family, body in _answers(connection):
            flow = _flow(family, body)
            if flow.mark:
                found.append(flow)
    return found


def forget(flows: Iterable[Flow]) -> None:
    """Delete connections from the table; one that is not there any more is no error. Raises SwitchError."""
    with closing(_opened()) as connection:
        for flow in flows:
            connection.send(_request(_DELETE, _REQUEST | _ACKNOWLEDGE, flow.family, flow.key))
            for _ in _answers(connection):
                pass


def _opened() -> socket.socket:
    return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER)


def _request(kind: int, flags: int, family: int, attributes: bytes = b"") -> bytes:
    body = _FAMILY.pack(family, 0, 0) + attributes
    return _MESSAGE.pack(_MESSAGE.size + len(body), kind, flags, 0, 0) + body


def _answers(connection: socket.socket) -> Iterator[tuple[int, bytes]]:
    """What the kernel answers to one request: family and attributes of each connection."""
    while True:
        data = connection.recv(_BUFFER)
        while data:
            length, kind, *_ = _MESSAGE.unpack_from(data)
            message, data = data[_MESSAGE.size : length], data[_aligned(length) :]
            if kind == _ERROR:
                _check(-struct.unpack_from("=i", message)[0])
            if kind in (_ERROR, _DONE):
                return
            yield message[0], message[_FAMILY.size :]


def _check(number: int) -> None:
    if number not in (0, errno.ENOENT):
        raise SwitchError(f"The kernel's table of connections cannot be used: {os.strerror(number)}.")


def _flow(family: int, body: bytes) -> Flow:
    attributes = _attributes(body)
    original, reply = _attributes(attributes[_ORIGINAL]), _attributes(attributes[_REPLY])
    protocol, port = _protocol(original, _DESTINATION_PORT)
    _, server_port = _protocol(reply, _SOURCE_PORT)
    addresses = _attributes(reply[_IP])
    server = socket.inet_ntop(family, addresses[_IPV6_SOURCE if family == socket.AF_INET6 else _IPV4_SOURCE])
    mark = int.from_bytes(attributes.get(_MARK, b""), "big")
    key = _attribute(_ORIGINAL | _NESTED, attributes[_ORIGINAL]) + _attribute(_ID, attributes[_ID])
    return Flow(family, protocol, mark, port, server, server_port, key)


def _protocol(end: dict[int, bytes], which: int) -> tuple[str, int]:
    """The protocol of one direction, and one of its ports."""
    attributes = _attributes(end[_PROTOCOL])
    number = attributes[_NUMBER][0]
    if number not in _NAMES:
        return str(number), 0
    return _NAMES[number], int.from_bytes(attributes[which], "big")


def _attributes(data: bytes) -> dict[int, bytes]:
    found = {}
    while data:
        length, kind = _ATTRIBUTE.unpack_from(data)
        found[kind & _TYPE] = data[_ATTRIBUTE.size : length]
        data = data[_aligned(length) :]
    return found


def _attribute(kind: int, value: bytes) -> bytes:
    length = _ATTRIBUTE.size + len(value)
    return (_ATTRIBUTE.pack(length, kind) + value).ljust(_aligned(length), b"\0")


def _aligned(length: int) -> int:
    return (length + 3) & ~3

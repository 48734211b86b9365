"""How verbs cross to another grid: a line of JSON for what is asked, and one for the answer.

Which verbs there are, and what they take and give, is read from the protocol that both ends know. Between grids that is
`sides.Source`: all but what gives a channel, which are words of the gate.
"""

from __future__ import annotations

import json
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from .. import errors, records
from ..application import Finding
from ..errors import BlockedError, GridError, RefusedError
from ..sides import Source
from ..volumes.client import Channel

REQUEST_BYTES = 1 << 20
ANSWER_BYTES = 64 << 20


@dataclass(frozen=True)
class ImagesWanted:
    """What the gate reads before it sends an archive of images."""

    images: tuple[str, ...]
    known_layers: frozenset[str]


Verbs = Mapping[str, Mapping[str, Any]]
"""The types of what each verb takes, by name, and of what it gives, as `return`."""


def verbs_of(protocol: type) -> Verbs:
    """The verbs of a protocol."""
    methods = {name: method for name, method in vars(protocol).items() if not name.startswith("_")}
    hints = {name: typing.get_type_hints(method) for name, method in methods.items()}
    return {name: found for name, found in hints.items() if found["return"] is not Channel}


VERBS = verbs_of(Source)


def request(verb: str, arguments: Mapping[str, Any]) -> bytes:
    return line({"verb": verb, "arguments": records.to_data(arguments)})


def read_request(line: bytes, verbs: Verbs = VERBS) -> tuple[str, dict[str, Any]]:
    """The verb and its arguments. Raises RefusedError when the line asks for nothing that there is."""
    try:
        asked = json.loads(line)
        verb, given = asked["verb"], asked["arguments"]
        kinds = {name: kind for name, kind in verbs[verb].items() if name != "return"}
        if set(given) != set(kinds):
            raise KeyError(f"arguments {', '.join(kinds)}")
        return verb, {name: records.from_data(kind, given[name]) for name, kind in kinds.items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise RefusedError(f"not a verb as this release knows it: {type(error).__name__}: {error}") from error


def answer(result: Any) -> bytes:
    return line({"result": records.to_data(result)})


def error_answer(error: GridError) -> bytes:
    findings = error.findings if isinstance(error, BlockedError) else ()
    return line({"error": type(error).__name__, "message": str(error), "findings": records.to_data(findings)})


def error_class(name: str) -> type[GridError]:
    """The class of an error whose name crossed, if it can be made from a text; otherwise the root of all."""
    found = getattr(errors, name, None)
    if isinstance(found, type) and issubclass(found, GridError) and found is not BlockedError:
        return found
    return GridError


def read_answer(verb: str, line: bytes, verbs: Verbs = VERBS) -> Any:
    """What the verb gave. Raises the error that it raised, or RefusedError when the line is no answer."""
    try:
        said = json.loads(line)
        if "result" in said:
            return _result(verbs[verb]["return"], said["result"])
        error = _error(said)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as problem:
        raise RefusedError(f"The answer to {verb} is not as this release knows it ({problem}).") from problem
    raise error


def _result(kind: Any, data: Any) -> Any:
    return None if kind is type(None) else records.from_data(kind, data)


def _error(said: Mapping[str, Any]) -> GridError:
    if said["error"] == BlockedError.__name__:
        return BlockedError(records.from_data(tuple[Finding, ...], said["findings"]))
    return error_class(str(said["error"]))(str(said["message"]))


def read_line(stream: BinaryIO) -> Any:
    """What one line of a request holds. Raises RefusedError."""
    try:
        return json.loads(stream.readline(REQUEST_BYTES))
    except (ValueError, RecursionError) as error:
        raise RefusedError(f"not a line of JSON: {error}") from error


def line(data: Any) -> bytes:
    return json.dumps(data, separators=(",", ":")).encode() + b"\n"

"""Records (frozen dataclasses) as JSON and back: how they are journalled and how they cross between grids."""

from __future__ import annotations

import dataclasses
import enum
import functools
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

Record = TypeVar("Record")

_PLAIN = (str, int, float, bool, type(None))


def to_data(value: Any) -> Any:
    """`value` as what JSON can hold: records as objects, tuples as lists, paths and enumerations as strings."""
    if isinstance(value, _PLAIN):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_data(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): to_data(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [to_data(item) for item in value]
    return value


def from_data(kind: type[Record], data: Any) -> Record:
    """The record of type `kind` that `to_data` made `data` from. Unknown fields are ignored, so that a newer release
    may send more than an older one knows.

    Raises:
        TypeError, ValueError, KeyError: `data` does not describe such a record.
    """
    return typing.cast(Record, _read(kind, data))


@functools.cache
def _kinds(kind: Any) -> dict[str, Any]:
    """The types of a record's fields."""
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def _read(kind: Any, data: Any) -> Any:
    if type(data) is kind:
        return data
    origin = typing.get_origin(kind)
    if origin is not None:
        return _read_several(origin, typing.get_args(kind), data)
    if kind is Any:
        return data
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        kinds = _kinds(kind)
        return kind(**{name: _read(kinds[name], item) for name, item in data.items() if name in kinds})
    if issubclass(kind, (enum.Enum, Path)):
        return kind(data)
    if kind is float and isinstance(data, int):
        return float(data)
    if not isinstance(data, kind):
        raise TypeError(f"{data!r} is not of type {kind.__name__}")
    return data


def _read_several(origin: Any, arguments: tuple[Any, ...], data: Any) -> Any:
    """What a union, a tuple or another type with arguments holds."""
    if origin in (typing.Union, types.UnionType):
        return None if data is None else _read(next(item for item in arguments if item is not type(None)), data)
    if origin is tuple and arguments[-1] is not Ellipsis:
        return tuple(_read(argument, item) for argument, item in zip(arguments, data, strict=True))
    if origin in (tuple, Sequence):
        return tuple(_read(arguments[0], item) for item in data)
    if origin is frozenset:
        return frozenset(_read(arguments[0], item) for item in data)
    if issubclass(origin, Mapping):
        return {_read(arguments[0], key): _read(arguments[1], item) for key, item in data.items()}
    return data

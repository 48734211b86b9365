"""What an operator asks of a move. Every face (playbook, command line, web page) reads its options here, as text."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from .. import names
from ..errors import InvalidNameError, OptionError
from ..sides import Action

Value = TypeVar("Value")


class DestroySource(enum.Enum):
    """What becomes of the source of a migration."""

    AFTER_HEALTHY = "after_healthy"  # it is removed with its data when the target is healthy
    KEEP = "keep"  # it stays, stopped and without the right to run


class CutOver(enum.Enum):
    """When an application is stopped, unless that is a time."""

    WHEN_READY = "when_ready"  # when another round would not shorten the downtime
    NOW = "now"  # after the round under way, or the first one


@dataclass(frozen=True)
class Request:
    """One move as it was asked for.

    `stop_timeout` is in seconds, None for what each container says. `bandwidth_limit` is in bytes a second. `cut_over`
    is empty for when it is ready, unless a move that is taken up was asked for another time. What an `owner` asks for
    must be the owner's, and gets the properties in `app_config` on the target; both are empty for an operator.
    """

    app: str
    source_grid: str
    target_grid: str
    target_app: str
    action: Action = Action.MIGRATE
    stop_timeout: float | None = None
    bandwidth_limit: int | None = None
    cut_over: str = ""
    destroy_source: DestroySource = DestroySource.AFTER_HEALTHY
    override_lock: bool = False
    plan_only: bool = False
    owner: str = ""
    app_config: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def cut_over_at(self) -> float | None:
        """The time of the stop in seconds since 1970, 0 for now, None for when it is ready."""
        return cut_over_at(self.cut_over)


def parse(options: Mapping[str, Any]) -> Request:
    """The request that the options describe. Empty text is as good as none. Raises OptionError."""
    given = {name: value for name, value in options.items() if value is not None and value != ""}
    if unknown := sorted(set(given) - set(OPTIONS)):
        raise OptionError(f"{unknown[0]} is no option of a move; there are {', '.join(OPTIONS)}.")
    for name in ("app", "source_grid", "target_grid"):
        if name not in given:
            raise OptionError(f"{name} is missing: {_OPTIONS[name].accepts}.")
    given.setdefault("target_app", given["app"])
    return Request(**{name: _option(name, value) for name, value in given.items()})


def cut_over(value: Any) -> str:
    """`value` as `Request.cut_over` has it. Raises OptionError."""
    return str(_option("cut_over", value))


def cut_over_at(value: str) -> float | None:
    """The time that a checked `cut_over` means: seconds since 1970, 0 for now, None for when it is ready."""
    if value in ("", CutOver.WHEN_READY.value):
        return None
    return 0.0 if value == CutOver.NOW.value else _moment(value)


def _option(name: str, value: Any) -> Any:
    option = _OPTIONS[name]
    try:
        return option.read(value)
    except (ValueError, TypeError, OverflowError):
        raise OptionError(f"{name}: {value!r} is not accepted; give {option.accepts}.") from None
    except InvalidNameError as error:
        raise OptionError(f"{name}: {error}") from error


def _text(check: Callable[[str], str]) -> Callable[[Any], str]:
    return lambda value: check(_string(value))


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value.strip()


def _seconds(value: Any) -> float:
    seconds = float(_no_boolean(value))
    if not 0 <= seconds <= _DAY:
        raise ValueError
    return seconds


def _rate(value: Any) -> int:
    match = _RATE.fullmatch(str(_no_boolean(value)).strip())
    if not match or not (rate := int(float(match[1]) * _UNITS[match[2].upper()])):
        raise ValueError
    return rate


def _no_boolean(value: Any) -> Any:
    if isinstance(value, bool):
        raise TypeError
    return value


def _boolean(value: Any) -> bool:
    return _BOOLEANS[str(value).strip().lower()] if str(value).strip().lower() in _BOOLEANS else _refuse()


def _refuse() -> bool:
    raise ValueError


def _cut_over(value: Any) -> str:
    text = _string(value)
    if text.lower() in {item.value for item in CutOver}:
        return text.lower()
    _moment(text)
    return text


def _moment(text: str) -> float:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError
    return moment.timestamp()


def _member(kind: type[enum.Enum]) -> Callable[[Any], enum.Enum]:
    return lambda value: kind(value if isinstance(value, kind) else _string(value).lower())


@dataclass(frozen=True)
class _Option:
    read: Callable[[Any], Any]
    accepts: str


_DAY = 86400
_RATE = re.compile(r"([0-9]+(?:\.[0-9]+)?)([KMGkmg]?)", re.ASCII)
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_BOOLEANS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
_OPTIONS: Mapping[str, _Option] = {
    "app": _Option(_text(names.application), "the name of an application"),
    "source_grid": _Option(_text(names.grid), "the name of the grid where it runs"),
    "target_grid": _Option(_text(names.grid), "the name of the grid that it goes to"),
    "target_app": _Option(_text(names.application), "its name on the target grid"),
    "action": _Option(_member(Action), "migrate or snapshot"),
    "stop_timeout": _Option(_seconds, "seconds from 0 to 86400"),
    "bandwidth_limit": _Option(_rate, "bytes a second, such as 500K, 10M or 1.5G"),
    "cut_over": _Option(_cut_over, "when_ready, now, or a time with its offset such as 2026-05-31T02:00:00+02:00"),
    "destroy_source": _Option(_member(DestroySource), "after_healthy or keep"),
    "override_lock": _Option(_boolean, "true or false"),
    "plan_only": _Option(_boolean, "true or false"),
}
OPTIONS = tuple(_OPTIONS)
"""The fields of a request that are asked for; the others say who asks."""

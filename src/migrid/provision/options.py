"""The options of MiG's configuration generator, and what became of each: `options.toml` is the one table of them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

PREFIX = "mig_"
TRUE = ("1", "true", "yes", "on", "y", "t")
"""How the generator and Ansible write that something is so."""


class NotYet(NamedTuple):
    """An option of a part that is not there yet: the value that turns the part off, and what the part is."""

    off: str | int | bool
    part: str

    def is_off(self, value: object) -> bool:
        """Whether `value`, as an inventory or a command line gives it, leaves the part off."""
        text = str(value).lower()
        return (text in TRUE) == self.off if isinstance(self.off, bool) else text == str(self.off).lower()


@dataclass(frozen=True)
class Options:
    """The fates of options by name, without the prefix of variables."""

    variable: Mapping[str, str]
    """How the text of an option is read that is a variable."""
    successor: Mapping[str, str]
    """The option that says the same today."""
    not_yet: Mapping[str, NotYet]
    not_needed: Mapping[str, str]
    """Why nobody has to say it any more."""
    decide: Mapping[str, str]
    """What the operator has to do in its place."""
    other_default: Mapping[str, tuple[str | int, str]]
    """The generator's default where the variable has another one, and why."""
    conf: Mapping[str, Mapping[str, str]]
    """The option that a key of MiGserver.conf says the same as, by section and key."""
    conf_url: Mapping[str, tuple[str, str]]
    """The options for name and port that a URL in section GLOBAL of MiGserver.conf holds, by key."""

    def __contains__(self, name: object) -> bool:
        return name in self.names

    @property
    def names(self) -> list[str]:
        """All options, in the order of the alphabet."""
        return sorted([*self.variable, *self.successor, *self.not_yet, *self.not_needed, *self.decide])

    def present(self, name: str) -> str:
        """The name that an option has today."""
        return self.successor.get(name, name)


@cache
def options() -> Options:
    """The table."""
    table: dict[str, Any] = tomllib.loads(resources.files(__package__).joinpath("options.toml").read_text("utf-8"))
    not_yet = {name: NotYet(*pair) for name, pair in table.pop("not_yet").items()}
    conf_url = {key: (name, port) for key, (name, port) in table.pop("conf_url").items()}
    other_default = {name: (value, why) for name, (value, why) in table.pop("other_default").items()}
    return Options(not_yet=not_yet, conf_url=conf_url, other_default=other_default, **table)


def variable_name(option: str) -> str:
    """The variable of an option: `mig_<option>`, and the same name for one that begins with `mig_`."""
    return option if option.startswith(PREFIX) else PREFIX + option


def option_of(variable: str) -> str | None:
    """The option whose variable has this name; None: there is none."""
    known = options()
    candidates = (variable, variable.removeprefix(PREFIX))
    return next((name for name in candidates if name in known and variable_name(name) == variable), None)

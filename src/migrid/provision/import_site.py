"""A site of MiG as variables of an inventory: read from a command line of its generator, or from its MiGserver.conf.

The generator is MiG's `generateconfs.py`. It takes `--option=value` and `--option value`, unambiguous beginnings of
options (getopt_long(3)), and options from the environment as `MIG_<OPTION>=value`.
"""

from __future__ import annotations

import configparser
import json
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from ..site.configuration import suggestion
from ..site.errors import MigError, shown
from ..site.values import LOGIN_METHODS, words
from .options import TRUE, Options, options, variable_name

REQUIRED = ("mig_base_fqdn", "mig_public_fqdn", "mig_sid_fqdn")
ALSO_REQUIRED = {
    "mig_ext_cert_fqdn": ("apache_ext_cert_authority",),
    "mig_ext_oidc_fqdn": ("mig_ext_oidc_provider_meta_url", "mig_ext_oidc_client_id"),
}
"""What else an inventory with a variable gives."""
UNSET = ("", "AUTO")
ASSIGNMENT = re.compile(r"MIG_([A-Z0-9_]+)=(.*)", re.DOTALL)
GENERATOR = "generateconfs.py"
SECRET = re.compile(r"password|salt|secret")
TEMPLATE = re.compile(r"{[{%#]")
PAGES = ("/wsgi-bin/dashboard.py", "/wsgi-bin/fileman.py")
USUAL_PORTS = {"http": 80, "https": 443}

OPENID_WORDS = {"migoid": "migoidc", "extoid": "extoidc"}

Value = str | int | bool | list[str]


class ImportSiteError(MigError):
    """The text is neither a command line of the generator nor a MiGserver.conf; says what is wrong with it."""


class LeftOut(NamedTuple):
    """An option, or a key of MiGserver.conf, that was not carried over, and what to do."""

    name: str
    value: str
    why: str

    def __str__(self) -> str:
        value = "…" if SECRET.search(self.name) else shown(self.value)
        return f"{self.name} = {value}: {self.why}"


@dataclass
class Imported:
    """The variables of the site, what the operator has to look at, and what nobody has to say any more."""

    variables: dict[str, Value] = field(default_factory=dict)
    left_out: list[LeftOut] = field(default_factory=list)
    not_needed: list[LeftOut] = field(default_factory=list)
    unknown_keys: list[str] = field(default_factory=list)
    """Keys of MiGserver.conf, as `[SECTION] key`, that have a value and no counterpart."""

    @property
    def missing(self) -> list[str]:
        """Variables that an inventory with these ones gives and that the text did not."""
        others = [other for name, others in ALSO_REQUIRED.items() if name in self.variables for other in others]
        return [name for name in (*REQUIRED, *others) if name not in self.variables]

    @property
    def other_defaults(self) -> list[LeftOut]:
        """Options that the text left at a default that is another one here."""
        defaults = [LeftOut(name, str(value), why) for name, (value, why) in options().other_default.items()]
        return [default for default in defaults if variable_name(default.name) not in self.variables]

    def as_yaml(self) -> str:
        """The variables as a YAML file for an inventory, with all that was left out as comments."""
        lines = ["---", *(f"{name}: {_scalar(value)}" for name, value in self.variables.items())]
        lines += _comments("Still to be given:", self.missing)
        lines += _comments("Not carried over:", self.left_out)
        lines += _comments("Defaults that are others here:", self.other_defaults)
        lines += _comments("Not needed any more:", self.not_needed)
        lines += _comments("Keys that mean nothing here:", self.unknown_keys)
        return "\n".join(lines) + "\n"


def import_site(text: str) -> Imported:
    """Read either form.

    Raises ImportSiteError when it is neither, or names an option that the generator never had.
    """
    return import_conf(text) if re.search(r"^\[GLOBAL\]\s*$", text, re.MULTILINE) else import_command(_words(text))


def import_command(words: Sequence[str]) -> Imported:
    """Read a command line of the generator; words that are no options are not looked at."""
    return _Import(options()).options(_given(words))


def import_conf(text: str) -> Imported:
    """Read a MiGserver.conf."""
    sections = configparser.ConfigParser(strict=False)
    try:
        sections.read_string(text)
        keys = [(section, key, value) for section in sections.sections() for key, value in sections.items(section)]
    except configparser.Error as error:
        raise ImportSiteError(f"this is no MiGserver.conf: {error.message}") from error
    return _Import(options()).keys(keys)


def _words(text: str) -> list[str]:
    """A command line as a shell splits it, but that nothing is expanded."""
    try:
        return shlex.split(text)
    except ValueError as error:
        raise ImportSiteError(f"the command line cannot be read: {error}; check its quotes") from error


def _given(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The options of a command line with their values; where one is given twice, the last one counts."""
    if not any(word.startswith("--") or word.endswith(GENERATOR) for word in words):
        raise ImportSiteError(f"there is no option; give the whole command line of {GENERATOR}, or its MiGserver.conf")
    queue = iter(words)
    arguments = []
    for word in queue:
        if match := ASSIGNMENT.fullmatch(word):
            yield _known(match[1].lower()), match[2]
        elif word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            arguments.append((_known(name), value if equals else next(queue, "")))
    yield from arguments


def _known(name: str) -> str:
    """The full name of an option. Raises ImportSiteError for one that is unknown or could be several."""
    names = options().names
    matches = [name] if name in names else [known for known in names if known.startswith(name)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise ImportSiteError(f"--{name} could be {', '.join('--' + match for match in matches)}; write it out")
    hint = suggestion(name, names) or "remove it"
    raise ImportSiteError(f"--{name} is no option of the generator; {hint}")


class _Import:
    """One run: sorts values into what is carried over and what is not."""

    def __init__(self, table: Options) -> None:
        self._table = table
        self._done = Imported()

    def options(self, given: Iterable[tuple[str, str]]) -> Imported:
        for name, value in dict(given).items():
            self._option(name, value)
        return self._done

    def keys(self, keys: Iterable[tuple[str, str, str]]) -> Imported:
        for section, key, value in keys:
            if section == "GLOBAL" and key in self._table.conf_url:
                self._url(key, value)
            elif option := self._table.conf.get(section, {}).get(key):
                self._option(option, value)
            elif value:
                self._done.unknown_keys.append(f"[{section}] {key}")
        return self._done

    def _url(self, key: str, url: str) -> None:
        name, port = self._table.conf_url[key]
        parts = urlsplit(url)
        if parts.hostname:
            self._option(name, parts.hostname)
            self._option(port, str(parts.port or USUAL_PORTS[parts.scheme]))

    def _option(self, given: str, value: str) -> None:
        name = self._table.present(given)
        if value in UNSET:
            return
        if name in self._table.variable:
            self._variable(given, name, value)
        elif why := self._table.decide.get(name):
            self._done.left_out.append(LeftOut(given, value, why))
        elif why := self._table.not_needed.get(name):
            self._done.not_needed.append(LeftOut(given, value, why))
        elif not self._table.not_yet[name].is_off(value):
            self._done.left_out.append(LeftOut(given, value, f"not there yet: {self._table.not_yet[name].part}"))

    def _variable(self, given: str, name: str, value: str) -> None:
        try:
            self._done.variables[variable_name(name)] = _READERS[self._table.variable[name]](value)
        except ValueError as error:
            self._done.left_out.append(LeftOut(given, value, str(error)))


def _boolean(text: str) -> bool:
    return text.lower() in TRUE


def _integer(text: str) -> int:
    if not re.fullmatch(r"-?[0-9]+", text):
        raise ValueError("this is not a number; give the variable by hand")
    return int(text)


def _page(text: str) -> str:
    if text not in PAGES:
        raise ValueError(f"there is no such page to begin with; write {' or '.join(PAGES)}")
    return text


def _directory(text: str) -> str:
    if not Path(text).is_absolute():
        raise ValueError("this is not an absolute path; give the variable by hand")
    return text.rstrip("/") or "/"


def _skin(text: str) -> str:
    raise ValueError(f"the skin {text} is not there; write a style sheet of your own, and name its file in mig_skin")


def _names(text: str) -> list[str]:
    return [name.strip() for name in re.split(r",\s*(?=/)", text) if name.strip()]


def _methods(text: str) -> list[str]:
    return list(words(*LOGIN_METHODS)(" ".join(OPENID_WORDS.get(word, word) for word in text.split())))


def _protocols(text: str) -> list[str]:
    if text.split() != ["https"]:
        raise ValueError("a second factor can be asked for with https only; write https")
    return ["https"]


_READERS: dict[str, Callable[[str], Value]] = {
    "bool": _boolean,
    "directory": _directory,
    "int": _integer,
    "methods": _methods,
    "names": _names,
    "page": _page,
    "protocols": _protocols,
    "skin": _skin,
    "text": str,
    "word": str.lower,
}


def _scalar(value: Value) -> str:
    """A value in YAML, which has JSON's strings; text that looks like a template is no template."""
    quoted = json.dumps(value, ensure_ascii=False)
    escaped = "".join(sign if sign.isprintable() else f"\\U{ord(sign):08X}" for sign in quoted)
    return f"!unsafe {escaped}" if TEMPLATE.search(str(value)) else escaped


def _comments(title: str, lines: Iterable[object]) -> list[str]:
    listed = [f"#   {line}" for line in lines]
    return ["", f"# {title}", *listed] if listed else []

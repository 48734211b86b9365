"""Everything that is wrong with a site's configuration file and state directory, each with what to do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .configuration import SECTIONS, SETTINGS, Configuration, File, Problem, evaluate, read, suggestion
from .state_tree import state_problems


def problems(path: Path) -> list[Problem]:
    """Every problem in MiGserver.conf and, when its values can be used, in the state directory.

    Raises ConfigurationError when the file cannot be read, and MigError when the state directory cannot.
    """
    file = read(path)
    values, wrong = evaluate(file)
    found = file_problems(file)
    return found if wrong else found + state_problems(Configuration(path=path, **values))


def file_problems(file: File) -> list[Problem]:
    """Every problem in the text of MiGserver.conf, in the order of its lines."""
    values, wrong = evaluate(file)
    found = [*wrong, *_unknown_sections(file), *_unknown_keys(file), *_repeated(file)]
    if not wrong:
        found += _contradictions(file, values)
    return sorted(found, key=lambda problem: problem.line)


def _unknown_sections(file: File) -> Iterator[Problem]:
    for section in dict.fromkeys(section for section, _ in file.lines):
        if section not in SECTIONS:
            remedy = suggestion(section, SECTIONS) or "remove it"
            yield Problem(f"{file.path}: [{section}]", "this section is unknown", remedy)


def _unknown_keys(file: File) -> Iterator[Problem]:
    for section, key in file.lines:
        if section in SECTIONS and key not in _keys_of(section):
            yield file.problem(section, key, "this key is unknown", _right_place(section, key))


def _right_place(section: str, key: str) -> str:
    if key in SETTINGS:
        return f"move it to section [{SETTINGS[key].section}]"
    return suggestion(key, _keys_of(section)) or "remove it"


def _keys_of(section: str) -> list[str]:
    return [key for key, setting in SETTINGS.items() if setting.section == section]


def _repeated(file: File) -> Iterator[Problem]:
    for (section, key), lines in file.lines.items():
        if len(lines) > 1:
            earlier = " and ".join(map(str, lines[:-1]))
            yield file.problem(section, key, f"it is also on line {earlier}", "keep one of them")


def _contradictions(file: File, values: dict[str, Any]) -> Iterator[Problem]:
    both = values["enable_sftp"] and values["enable_sftp_subsys"]
    if both and values["user_sftp_port"] == values["user_sftp_subsys_port"]:
        yield file.problem(
            "GLOBAL", "user_sftp_subsys_port", "it is also user_sftp_port", "give each service its own port"
        )

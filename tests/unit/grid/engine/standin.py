"""A program in place of `docker` that answers as it is told and writes down what it was asked."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from migrid.grid.docker.cli import DockerCli

_END_OF_CALL = "\0\0"


@dataclass(frozen=True)
class Asked:
    """One call of the program."""

    arguments: list[str]
    environment: dict[str, str]


class StandIn:
    """`answers` has for successive arguments of a command line what to say: output, errors, status, and whether to read
    the input. The first that fits counts."""

    def __init__(self, directory: Path, answers: Mapping[str, Mapping[str, object]] | None = None) -> None:
        self._calls, self._input = directory / "asked", directory / "input"
        program = directory / "docker"
        program.write_text(self._script(answers or {}))
        program.chmod(0o755)
        self.cli = DockerCli(str(program))

    @property
    def asked(self) -> list[Asked]:
        calls = self._calls.read_text().split(_END_OF_CALL)[:-1] if self._calls.exists() else []
        return [_asked(call) for call in calls]

    @property
    def commands(self) -> list[str]:
        return [" ".join(call.arguments) for call in self.asked]

    @property
    def input(self) -> bytes:
        return self._input.read_bytes()

    def _script(self, answers: Mapping[str, Mapping[str, object]]) -> str:
        calls = shlex.quote(str(self._calls))
        lines = [
            "#!/bin/sh",
            f"{{ flock 3; printf '%s\\0' \"$#\" \"$@\" >&3; /usr/bin/env -0 >&3; printf '\\0' >&3; }} 3>>{calls}",
            'case " $* " in',
            *(f"*{shlex.quote(f' {words} ')}*) {self._say(answer)};;" for words, answer in answers.items()),
            "esac",
        ]
        return "\n".join(lines)

    def _say(self, answer: Mapping[str, object]) -> str:
        return "; ".join(
            [
                *([f"cat >{shlex.quote(str(self._input))}"] if answer.get("input") else []),
                f"printf %s {shlex.quote(str(answer.get('output', '')))}",
                f"printf %s {shlex.quote(str(answer.get('errors', '')))} >&2",
                f"exit {answer.get('status', 0)}",
            ]
        )


def _asked(call: str) -> Asked:
    count, *words = call.split("\0")
    arguments, environment = words[: int(count)], words[int(count) :]
    return Asked(arguments, dict(item.split("=", 1) for item in environment if item))

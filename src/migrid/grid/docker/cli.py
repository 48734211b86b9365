"""The one place that runs the command `docker`.

Arguments are lists and never pass a shell. Nothing secret may be among them, because the process list shows them and
errors repeat what the command said: values go through the environment of the command, or through a file.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, BinaryIO

from ..application import Definition
from ..errors import EngineError

QUESTION = 120.0  # seconds that a question to the engine may take
WORK = 3600.0  # seconds that work may take: building, starting what waits for the health of something else
_CHUNK = 1 << 20
_KEPT_LINES = 12
_PASSED_ON = ("PATH", "HOME", "TMPDIR", "SSH_AUTH_SOCK")
_VERBS = {
    "compose": ("build", "config", "create", "pull", "up", "version"),
    "image": ("ls", "rm"),
    "network": ("ls", "rm"),
    "volume": ("create", "ls", "rm"),
}
_HINTS = {
    "cannot connect to the docker daemon": "`systemctl status docker` says more.",
    "permission denied while trying to connect": "Run this as root, or as a member of the group docker.",
    "is not a docker command": "Install the Compose plugin (in Debian: docker-compose).",
    "unknown shorthand flag": "Install the Compose plugin (in Debian: docker-compose).",
    "no space left on device": "Free space below the engine's directory; `docker system df` shows what is used.",
    "port is already allocated": "Something else has this port; free it, or give the application another one.",
    "address already in use": "Something else has this port; free it, or give the application another one.",
    "no such image": "The image is not on this grid: build it, pull it, or load it.",
}


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    status: int
    output: str
    errors: str


class TimedOutError(EngineError):
    """The command did not end in time, and was ended."""


class DockerCli:
    """The command `docker` with the environment that it needs, and none that would change what Compose reads."""

    def __init__(self, program: str = "docker", environment: Mapping[str, str] | None = None) -> None:
        self._program = program
        self._environment = clean_environment(os.environ if environment is None else environment)

    def try_(
        self,
        *arguments: str,
        timeout: float | None = QUESTION,
        environment: Mapping[str, str] | None = None,
    ) -> Outcome:
        """Run `docker` with these arguments, whatever its exit status. Raises EngineError when the engine is away, and
        TimedOutError after `timeout` seconds. `environment` holds further variables of the command itself."""
        process = self._start(arguments, environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        try:
            output, errors = _communicate(process, timeout)
        except subprocess.TimeoutExpired:
            raise TimedOutError(
                f"`{shown(arguments)}` did not end within {timeout:g} seconds. See what the engine is busy with:"
                " `journalctl -u docker` and `docker events`."
            ) from None
        outcome = Outcome(process.returncode, output, errors)
        if outcome.status and is_away(outcome.errors):
            raise EngineError(explained(arguments, outcome.errors))
        return outcome

    def run(self, *arguments: str, timeout: float | None = QUESTION) -> str:
        """What the command printed. Raises EngineError unless its exit status is 0."""
        outcome = self.try_(*arguments, timeout=timeout)
        if outcome.status:
            raise EngineError(explained(arguments, outcome.errors))
        return outcome.output

    def json(self, *arguments: str) -> Any:
        """The one JSON value that the command printed."""
        return json.loads(self.run(*arguments))

    def lines(self, *arguments: str) -> list[str]:
        """The lines that the command printed."""
        return self.run(*arguments).splitlines()

    def inspect(self, kind: str, names: Iterable[str]) -> list[dict[str, Any]]:
        """`docker inspect` of containers, images, volumes or networks. What is not there is left out."""
        wanted = list(dict.fromkeys(names))
        if not wanted:
            return []
        outcome = self.try_("inspect", "--type", kind, "--", *wanted)
        unexpected = [line for line in outcome.errors.splitlines() if line and "no such" not in line.lower()]
        if outcome.status and unexpected:
            raise EngineError(explained(("inspect", "--type", kind), "\n".join(unexpected)))
        found: list[dict[str, Any]] = json.loads(outcome.output or "[]")
        return found

    @contextmanager
    def reading(self, *arguments: str) -> Iterator[IO[bytes]]:
        """A stream of what the command prints. Raises EngineError at the end unless its exit status is 0."""
        with TemporaryFile() as errors:
            process = self._start(arguments, None, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors)
            with _ended(process):
                assert process.stdout is not None  # noqa: S101
                yield process.stdout
                process.stdout.close()
                process.wait()
            _check(process, arguments, errors)

    def feed(self, stream: BinaryIO, *arguments: str) -> None:
        """Let the command read all of the stream. Raises EngineError unless its exit status is 0."""
        with TemporaryFile() as errors:
            process = self._start(arguments, None, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=errors)
            with _ended(process):
                assert process.stdin is not None  # noqa: S101
                try:
                    shutil.copyfileobj(stream, process.stdin, _CHUNK)
                    process.stdin.close()
                except BrokenPipeError:
                    pass  # the command gave up; what it says about that is in its errors
                process.wait()
            _check(process, arguments, errors)

    def _start(
        self, arguments: Sequence[str], environment: Mapping[str, str] | None, **streams: Any
    ) -> subprocess.Popen[bytes]:
        streams.setdefault("stderr", subprocess.PIPE)
        try:
            return subprocess.Popen(
                [self._program, *arguments], env={**self._environment, **(environment or {})}, **streams
            )
        except FileNotFoundError:
            raise EngineError(
                f"There is no command {self._program!r} here. Install the container engine (in Debian: docker.io,"
                " docker-cli and docker-compose)."
            ) from None


def clean_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """What `docker` may see of an environment: where the engine is, and no variable that a Compose file could read
    instead of the application's properties."""
    return {name: value for name, value in environment.items() if name in _PASSED_ON or name.startswith("DOCKER_")}


ALL_PROFILES = ("--profile", "*")


def compose_arguments(definition: Definition, *options: str) -> list[str]:
    """`docker compose` told about a definition, with further options of `docker compose` itself."""
    return [
        "compose",
        *("--ansi", "never", "--project-name", definition.name),
        *("--project-directory", str(definition.directory)),
        *_each("--file", definition.files),
        *_each("--env-file", definition.env_files),
        *options,
    ]


def shown(arguments: Sequence[str]) -> str:
    """A command as it may be shown: its verb, without options and what they are about."""
    first, rest = arguments[0], arguments[1:]
    verb = next((word for word in rest if word in _VERBS.get(first, ())), "")
    return " ".join(filter(None, ("docker", first, verb)))


def said(errors: str) -> str:
    """The end of what a command said went wrong, without Compose's warnings."""
    lines = [line.strip() for line in errors.splitlines()]
    kept = [line for line in lines if line and "level=warning" not in line]
    return "\n".join(kept[-_KEPT_LINES:])


def is_away(errors: str) -> bool:
    """Whether the command failed because the engine does not answer."""
    text = errors.lower()
    return "cannot connect to the docker daemon" in text or "error during connect" in text


def explained(arguments: Sequence[str], errors: str) -> str:
    """What failed, what the command said of it, and what to do."""
    words = said(errors)
    hint = next((hint for sign, hint in _HINTS.items() if sign in words.lower()), "")
    return f"`{shown(arguments)}` failed: {words or 'it did not say why'}{f' {hint}' if hint else ''}"


def _each(option: str, paths: Iterable[Path]) -> list[str]:
    return [word for path in paths for word in (option, str(path))]


def _communicate(process: subprocess.Popen[bytes], timeout: float | None) -> tuple[str, str]:
    with _ended(process):
        output, errors = process.communicate(timeout=timeout)
    return output.decode(errors="replace"), errors.decode(errors="replace")


@contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Leave no process and no open pipe behind when the block fails."""
    try:
        yield
    except BaseException:
        process.kill()
        raise
    finally:
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            _close(stream)


def _close(stream: IO[bytes] | None) -> None:
    if stream is not None:
        with suppress(BrokenPipeError):
            stream.close()


def _check(process: subprocess.Popen[bytes], arguments: Sequence[str], errors: IO[bytes]) -> None:
    if process.returncode:
        errors.seek(0)
        raise EngineError(explained(arguments, errors.read().decode(errors="replace")))

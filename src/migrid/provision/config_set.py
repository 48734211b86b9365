"""All configuration files of one service, changed as one set.

A set named ``sftp`` is what ``/etc/migrid/sftp`` shows. That path is a symbolic link to a *generation*, a directory
that is written completely, checked by the service itself, and then made live by renaming a new link over the old one.
Files that must be elsewhere, such as a systemd unit, belong to the set too: the generation's manifest names them, so
that a later set without them, or the removal of the set, takes away exactly what was put there.
"""

from __future__ import annotations

import grp
import json
import pwd
import shlex
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath

from ..files import write_new

MANIFEST = ".manifest.json"


class ConfigSetError(Exception):
    """The set cannot be changed; the message says why and what to do. Nothing live has changed."""


@dataclass(frozen=True)
class File:
    """One file of a set.

    ``path`` is relative to the set's directory, or absolute for a file that must be elsewhere. ``mode`` is the number
    that chmod takes; ``owner`` and ``group`` are names that exist on the host. A ``secret`` file is remembered as one,
    so that nobody is shown what it held either.
    """

    path: str
    content: bytes
    mode: int = 0o644
    owner: str = "root"
    group: str = "root"
    secret: bool = False

    @property
    def is_outside(self) -> bool:
        """Whether the file lives outside of the set's directory."""
        return self.path.startswith("/")


@dataclass(frozen=True)
class FileChange:
    """What a change does to one file: ``before`` is None for a new file, ``after`` is None for one that goes."""

    path: str
    before: bytes | None
    after: bytes | None
    secret: bool = False


@dataclass(frozen=True)
class _Manifest:
    """What belongs to a generation but is elsewhere: files, and the directories that were made for them. Also the paths
    of its secret files."""

    outside: list[str]
    made: list[str]
    secret: list[str] = field(default_factory=list)

    def write(self, generation: Path) -> None:
        _write_atomically(generation / MANIFEST, File(MANIFEST, json.dumps(asdict(self), indent=1).encode() + b"\n"))


class ConfigSet:
    """The set ``name`` below ``root``.

    Raises:
        ConfigSetError: from every method, when the host is not as the set needs it.
    """

    def __init__(self, name: str, root: Path = Path("/etc/migrid")) -> None:
        self.name = name
        self.root = root
        self.live = root / name

    def plan(self, files: Sequence[File]) -> list[FileChange]:
        """What :meth:`write` would change, in the order of ``files``, then what it would remove."""
        self._refuse_bad_paths(files)
        self._refuse_foreign(files)
        return [*self._written(files), *self._removed(files)]

    def write(self, files: Sequence[File], checks: Iterable[str] = ()) -> list[FileChange]:
        """Make ``files`` the set; each of ``checks`` is a command that must succeed on the staged set first.

        ``{set}`` in a check stands for the staged directory. Returns the changes made, none if all was as wanted.
        """
        changes = self.plan(files)
        if not changes:
            return []
        stale = [Path(change.path) for change in self._removed(files) if change.path.startswith("/")]
        outside = [file for file in files if file.is_outside]
        made = [*self._manifest().made, *_missing_directories(outside)]
        secret = [file.path for file in files if file.secret]
        with ExitStack() as undo:
            generation = self._stage(files, undo)
            _Manifest([*(file.path for file in outside), *map(str, stale)], made, secret).write(generation)
            for check in checks:
                _run_check(check, generation)
            self._switch(generation, undo)
            for file in outside:
                _replace(file, undo)
            undo.pop_all()
        for path in stale:
            path.unlink(missing_ok=True)
        _Manifest([file.path for file in outside], made, secret).write(generation)
        self._drop_generations(keep=generation.name)
        return changes

    def remove(self) -> list[FileChange]:
        """Remove the set and the files elsewhere that belong to it; nothing else. Returns what was removed."""
        changes = self.plan_removal()
        manifest = self._manifest()
        for path in manifest.outside:
            Path(path).unlink(missing_ok=True)
        for path in reversed(manifest.made):
            _remove_if_empty(Path(path))
        self.live.unlink(missing_ok=True)
        self._drop_generations(keep=None)
        _remove_if_empty(self.root)
        return changes

    def plan_removal(self) -> list[FileChange]:
        """What :meth:`remove` would remove."""
        return self._removed([])

    def _written(self, files: Sequence[File]) -> list[FileChange]:
        secret = self._manifest().secret
        return [
            FileChange(file.path, _content(self._path(file.path)), file.content, file.secret or file.path in secret)
            for file in files
            if not _is_as_wanted(self._path(file.path), file)
        ]

    def _removed(self, files: Sequence[File]) -> list[FileChange]:
        wanted = {file.path for file in files}
        inside = [
            str(path.relative_to(self.live))
            for path in sorted(self.live.rglob("*"))
            if path.is_file() and path.name != MANIFEST
        ]
        manifest = self._manifest()
        outside = [path for path in manifest.outside if Path(path).exists()]
        return [
            FileChange(path, _content(self._path(path)), None, path in manifest.secret)
            for path in [*inside, *outside]
            if path not in wanted
        ]

    def _path(self, path: str) -> Path:
        return self.live / path  # an absolute path replaces the directory

    def _manifest(self) -> _Manifest:
        content = _content(self.live / MANIFEST)
        return _Manifest(**json.loads(content)) if content else _Manifest([], [])

    def _refuse_bad_paths(self, files: Sequence[File]) -> None:
        paths = [file.path for file in files]
        for path in paths:
            if not path or ".." in PurePosixPath(path).parts or PurePosixPath(path).name == MANIFEST:
                raise ConfigSetError(f"set {self.name}: {path!r} cannot be the path of a file in a set")
            if paths.count(path) > 1:
                raise ConfigSetError(f"set {self.name}: {path} is named twice")

    def _refuse_foreign(self, files: Sequence[File]) -> None:
        if self.live.exists() and not self.live.is_symlink():
            raise ConfigSetError(f"{self.live} exists and was not made by this project; move it away and run again")
        own = self._manifest().outside
        for file in files:
            if file.is_outside and file.path not in own and _content(Path(file.path)) not in (None, file.content):
                raise ConfigSetError(
                    f"{file.path} exists and does not belong to the set {self.name}; "
                    "move it away, or take over what it says into the inventory, and run again"
                )

    def _stage(self, files: Sequence[File], undo: ExitStack) -> Path:
        self.root.mkdir(mode=0o755, parents=True, exist_ok=True)
        generation = Path(tempfile.mkdtemp(prefix=f".{self.name}.", dir=self.root))
        undo.callback(shutil.rmtree, generation)
        generation.chmod(0o755)
        for file in files:
            if not file.is_outside:
                _write_new(generation / file.path, file)
        return generation

    def _switch(self, generation: Path, undo: ExitStack) -> None:
        before = self.live.readlink() if self.live.is_symlink() else None
        if before is None:
            undo.callback(self.live.unlink, missing_ok=True)
        else:
            undo.callback(self._link, before)
        self._link(generation.name)

    def _link(self, target: str | Path) -> None:
        fresh = self.root / f".{self.name}.link"
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(target)
        fresh.rename(self.live)

    def _drop_generations(self, keep: str | None) -> None:
        for path in self.root.glob(f".{self.name}.*"):
            if path.name != keep and path.is_dir():
                shutil.rmtree(path)


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _is_as_wanted(path: Path, file: File) -> bool:
    if _content(path) != file.content:
        return False
    status = path.stat()
    return (
        stat.S_IMODE(status.st_mode) == file.mode
        and status.st_uid == _uid(file.owner)
        and status.st_gid == _gid(file.group)
    )


def _write_new(path: Path, file: File) -> None:
    _make_parents(path)
    write_new(path, file.content, file.mode, _uid(file.owner), _gid(file.group))


def _make_parents(path: Path) -> None:
    """Make the missing directories above ``path`` with mode 0755, whatever the umask."""
    missing = [parent for parent in path.parents if not parent.exists()]
    for parent in reversed(missing):
        parent.mkdir()
        parent.chmod(0o755)


def _write_atomically(path: Path, file: File) -> None:
    fresh = path.with_name(f".{path.name}.migrid-new")
    try:
        _write_new(fresh, file)
        fresh.rename(path)
    finally:
        fresh.unlink(missing_ok=True)


def _replace(file: File, undo: ExitStack) -> None:
    """Write a file outside of the set unless it is as wanted; ``undo`` brings back what was there."""
    path = Path(file.path)
    if not _is_as_wanted(path, file):
        _restore_on_error(path, undo)
        _write_atomically(path, file)


def _restore_on_error(path: Path, undo: ExitStack) -> None:
    content = _content(path)
    if content is None:
        undo.callback(path.unlink, missing_ok=True)
        return
    status = path.stat()
    owner, group = pwd.getpwuid(status.st_uid).pw_name, grp.getgrgid(status.st_gid).gr_name
    undo.callback(_write_atomically, path, File(str(path), content, stat.S_IMODE(status.st_mode), owner, group))


def _missing_directories(files: Iterable[File]) -> list[str]:
    """The directories that must be made for ``files``, each after those above it."""
    missing = {str(parent) for file in files for parent in Path(file.path).parents if not parent.exists()}
    return sorted(missing)


def _remove_if_empty(directory: Path) -> None:
    if directory.is_dir() and not any(directory.iterdir()):
        directory.rmdir()


def _run_check(command: str, generation: Path) -> None:
    arguments = [part.replace("{set}", str(generation)) for part in shlex.split(command)]
    try:
        result = subprocess.run(arguments, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise ConfigSetError(f"the check {command!r} cannot run: {error.strerror}: {error.filename}") from error
    if result.returncode:
        answer = "\n".join(part for part in (result.stderr.strip(), result.stdout.strip()) if part)
        raise ConfigSetError(
            "the new configuration was refused and the live one is as it was; "
            f"{shlex.join(arguments)} says (exit status {result.returncode}):\n{answer}"
        )


def _uid(name: str) -> int:
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        raise ConfigSetError(f"there is no user {name!r} on this host") from None


def _gid(name: str) -> int:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise ConfigSetError(f"there is no group {name!r} on this host") from None

"""The users as accounts of the host: what libnss-extrausers, sshd and proftpd read.

The directory holds `passwd` and `group` (formats of passwd(5), group(5)), `keys/<alias>` (authorized_keys(5)) and the
stamp `generation`. They say who a user is, where the home is, and which keys are the user's. Whether the user may come
in, and with which password, is the decision of `logins` alone. Everything there is derived from the user store. The
store belongs to the site's account, which root does not trust: a value that is not exactly of the expected form keeps
its user out.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from ..files import locked, write_new
from .errors import shown
from .identity import is_alias
from .keys import TYPES
from .logins.attempt import Service
from .privileges import acting_as
from .store import UserStore

STAMP = "generation"
REQUEST = "users_changed"
KEYS = "keys"
HOST_ACCOUNTS = Path("/etc/passwd")
_SHELL = "/usr/sbin/nologin"
_CLIENT_DIR = re.compile(r"\+C=[^\x00-\x20/:\\\x7f]+")
_KEY_LINES = re.compile(rf"(?:(?:^|\n)(?:{'|'.join(map(re.escape, TYPES))}) [A-Za-z0-9+/]+=*(?: [^\x00-\x1f\x7f]+)?)+")
_STAGED = ".staged"


class Account(NamedTuple):
    """The account that all users share, and the directory of their homes."""

    uid: int
    gid: int
    user_home: Path


@dataclass
class Published:
    """What `publish` did: whether a file changed, and which users it refused, with the reason."""

    changed: bool = False
    refused: list[str] = field(default_factory=list)


def host_accounts() -> frozenset[str]:
    """Names of the host's own accounts, in lower case."""
    lines = HOST_ACCOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
    return frozenset(line.partition(":")[0].lower() for line in lines)


def is_published(store: UserStore, account: Account, directory: Path) -> bool:
    """Whether the files are those of the store. Needs root."""
    with acting_as(account.uid, account.gid), store.snapshot():
        wanted = _stamp(store, account)
    return _read_stamp(directory) == wanted


def publish(store: UserStore, account: Account, directory: Path) -> Published:
    """Write the accounts of all users, with their keys for SFTP. Needs root.

    Nothing is written when the files are current already, or when `directory` does not exist: then no service of
    this host needs them.
    """
    if not directory.is_dir():
        return Published()
    with locked(directory):
        if is_published(store, account, directory):
            return Published()
        old_stamp = _read_stamp(directory)
        with acting_as(account.uid, account.gid), store.snapshot():
            stamp = _stamp(store, account)
            since = _unchanged_since(stamp, old_stamp, store)
            rows, touched = store.logins(Service.SFTP, since), store.touched(since)
        logins, refused = _sound(map(_Login._make, rows))
        old = _Old(directory, touched if since >= 0 else None)
        _write_keys(logins, old, account.gid)
        _write(directory / "group", "", 0o644)
        _write(directory / "passwd", "".join([*old.lines(), *_passwd_lines(logins, account)]), 0o644)
        (directory / "shadow").unlink(missing_ok=True)  # with hashes, of earlier releases
        _write(directory / STAMP, json.dumps(stamp), 0o644)
    return Published(True, refused)


def ask_to_publish(directory: Path) -> None:
    """Let the host publish soon, on behalf of a caller who is not root: its unit migrid-publish waits for this file."""
    (directory / REQUEST).write_bytes(b"")


class _Stamp(NamedTuple):
    """What the published files were made of."""

    generation: int
    token: str
    uid: int
    gid: int
    user_home: str


class _Login(NamedTuple):
    """A row of UserStore.logins."""

    alias: str
    client_dir: str
    public_keys: str


@dataclass(frozen=True)
class _Old:
    """The files as they are; right but for the touched aliases, or of no use (None)."""

    directory: Path
    touched: set[str] | None

    def lines(self) -> list[str]:
        """The lines of users who were not touched."""
        if self.touched is None:
            return []
        lines = (self.directory / "passwd").read_text(encoding="utf-8").split("\n")
        return [f"{line}\n" for line in lines if line and line.partition(":")[0] not in self.touched]

    def key_files(self) -> set[str]:
        """The names of key files that may not be right."""
        if self.touched is None:
            return {path.name for path in (self.directory / KEYS).iterdir()}
        return set(filter(is_alias, self.touched))


def _stamp(store: UserStore, account: Account) -> _Stamp:
    return _Stamp(*store.revision, account.uid, account.gid, str(account.user_home))


def _read_stamp(directory: Path) -> _Stamp | None:
    if not all((directory / name).exists() for name in ("passwd", KEYS)):
        return None
    try:
        return _Stamp(*json.loads((directory / STAMP).read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def _unchanged_since(new: _Stamp, old: _Stamp | None, store: UserStore) -> int:
    """The generation from which the published files differ only by what was changed later; -1 if there is none."""
    if old and old[2:] == new[2:] and store.has_had((old.generation, old.token)):
        return old.generation
    return -1


def _sound(logins: Iterable[_Login]) -> tuple[list[_Login], list[str]]:
    """The logins to publish, and why others are refused."""
    taken = host_accounts()
    sound: list[_Login] = []
    refused: list[str] = []
    for login in logins:
        problem = _problem(login, taken)
        if problem:
            refused.append(f"user {shown(login.alias)} is not published: {problem}")
        else:
            sound.append(login)
    return sound, refused


def _problem(login: _Login, taken: frozenset[str]) -> str:
    if not is_alias(login.alias):
        return "its alias in the user store is not one that mig writes"
    if login.alias in taken:
        return "this host has a system account of that name; give the user another alias"
    if not _CLIENT_DIR.fullmatch(login.client_dir):
        return "its directory in the user store is not one that mig writes"
    if login.public_keys and not _KEY_LINES.fullmatch(login.public_keys):
        return "its public keys in the user store are not as mig writes them"
    return ""


def _passwd_lines(logins: Iterable[_Login], account: Account) -> Iterator[str]:
    before, after = f":x:{account.uid}:{account.gid}::{account.user_home}/", f":{_SHELL}\n"
    for login in logins:
        yield f"{login.alias}{before}{login.client_dir}{after}"


def _write_keys(logins: Iterable[_Login], old: _Old, gid: int) -> None:
    directory = old.directory / KEYS
    directory.mkdir(mode=0o700, exist_ok=True)
    os.chown(directory, 0, gid)
    directory.chmod(0o750)
    stale = old.key_files()
    for login in logins:
        if login.public_keys:
            _write(directory / login.alias, login.public_keys + "\n", 0o640, gid)
            stale.discard(login.alias)
    for name in stale:
        (directory / name).unlink(missing_ok=True)


def _write(path: Path, text: str, mode: int, gid: int = 0) -> None:
    """Replace a file atomically."""
    staged = path.with_name(_STAGED)
    write_new(staged, text.encode(), mode, 0, gid)
    staged.replace(path)

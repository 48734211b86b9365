"""The state directory as it must be: what is there, who may use it, and that homes and users match."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from shlex import quote

from .access import as_account, opened_store
from .accounts import Account, is_published
from .configuration import SETTINGS, Configuration, Problem
from .errors import MigError, StoreError
from .store import User, UserStore

OPEN_TO_OTHERS = 0o077
WRITABLE_BY_OTHERS = 0o022


def state_problems(site: Configuration) -> list[Problem]:
    """Every problem in the state directory. Raises PrivilegeError when the caller may not look."""
    for path in (site.state_path, site.user_db_home):
        if not path.is_dir():
            return [_missing(path)]
    if site.account_uid == 0:
        remedy = f"give it to the site's account: chown -R ACCOUNT: {_quoted(site.state_path)}"
        return [Problem(str(site.user_db_home), "belongs to root", remedy)]
    with as_account(site):
        found = [*_directory_problems(site), *_home_problems(site)]
    return [*found, *_welcome_problems(site), *_published_problems(site)]


def _directory_problems(site: Configuration) -> Iterator[Problem]:
    for path in _state_directories(site):
        forbidden = OPEN_TO_OTHERS if path == site.user_db_home else WRITABLE_BY_OTHERS
        yield from _access_problems(path, site.account_uid, forbidden)


def _state_directories(site: Configuration) -> list[Path]:
    paths = (getattr(site, key) for key in SETTINGS)
    return [path for path in paths if isinstance(path, Path) and path.is_relative_to(site.state_path)]


def _access_problems(path: Path, owner: int, forbidden: int) -> Iterator[Problem]:
    """What is wrong with one directory or file: it is missing, another account's, or too open."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        yield _missing(path)
        return
    if status.st_uid != owner:
        remedy = f"run: chown {owner} {_quoted(path)}"
        yield Problem(str(path), f"belongs to user id {status.st_uid}, not {owner}", remedy)
    if status.st_mode & forbidden and not stat.S_ISLNK(status.st_mode):
        change = "go-w" if forbidden == WRITABLE_BY_OTHERS else "go="
        what = f"other accounts have access: its mode is {stat.S_IMODE(status.st_mode):04o}"
        yield Problem(str(path), what, f"run: chmod {change} {_quoted(path)}")


def _missing(path: Path) -> Problem:
    return Problem(str(path), "does not exist", f"run: mkdir -m 0700 {_quoted(path)}, as the site's account")


def _home_problems(site: Configuration) -> Iterator[Problem]:
    """Whether the store can be used, and each user has a home, and what else is among the homes."""
    try:
        users = _users(site)
    except MigError as error:
        yield Problem(str(site.user_db_path), "the user store cannot be used", str(error))
        return
    if site.user_db_path.exists():
        yield from _access_problems(site.user_db_path, site.account_uid, OPEN_TO_OTHERS)
    if site.user_home.is_dir():
        for user in users:
            yield from _problems_of(user, site)
        yield from _strangers(site.user_home, {user.alias: user.client_dir for user in users})


def _users(site: Configuration) -> list[User]:
    with opened_store(site) as store:
        return list(store.users()) if store else []


def _problems_of(user: User, site: Configuration) -> Iterator[Problem]:
    home, link = site.user_home / user.client_dir, site.user_home / user.alias
    remedy = f"run: mig edituser -i {quote(user.client_id)}"
    if home.is_dir():
        yield from _access_problems(home, site.account_uid, OPEN_TO_OTHERS)
    else:
        yield Problem(str(home), f"the home of {user.alias} does not exist", remedy)
    if not (link.is_symlink() and link.readlink() == Path(user.client_dir)):
        yield Problem(str(link), f"is not a link to the home of {user.alias}", remedy)


def _strangers(user_home: Path, aliases: dict[str, str]) -> Iterator[Problem]:
    """What is among the homes and is neither a home nor the alias of a user."""
    with os.scandir(user_home) as entries:
        for entry in entries:
            if entry.is_symlink() and entry.name not in aliases:
                yield Problem(entry.path, "is a link of no user", f"run: rm {_quoted(entry.path)}")
            elif not entry.is_symlink() and not _is_home(entry):
                yield Problem(entry.path, "is neither a home nor an alias", "move it out of this directory")


def _is_home(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir(follow_symlinks=False) and entry.name.startswith("+C=")


def kept_homes(site: Configuration) -> list[Path]:
    """The homes that were kept when their users were removed. Raises PrivilegeError when the caller may not look."""
    if not site.user_home.is_dir():
        return []
    with as_account(site):
        homes = {user.client_dir for user in _users(site)}
        with os.scandir(site.user_home) as entries:
            return [Path(entry.path) for entry in entries if _is_home(entry) and entry.name not in homes]


def _welcome_problems(site: Configuration) -> Iterator[Problem]:
    try:
        _ = site.welcome_text
    except MigError as error:
        yield Problem(str(site.welcome_text_file), "the welcome text cannot be read", str(error))


def _published_problems(site: Configuration) -> Iterator[Problem]:
    """Whether the host knows the users as they are in the store; only root can see that."""
    if not (site.enable_sftp or site.enable_sftp_subsys or site.enable_ftps):
        return
    if not site.accounts_home.is_dir():
        yield Problem(str(site.accounts_home), "does not exist", "run site.yml, which starts the services that make it")
    elif os.geteuid() == 0 and _is_outdated(site):
        remedy = "run playbooks/users.yml, or mig edituser for any user"
        yield Problem(str(site.accounts_home), "is older than the user store", remedy)


def _is_outdated(site: Configuration) -> bool:
    """Whether there is a usable store that the published accounts do not reflect."""
    account = Account(site.account_uid, site.account_gid, site.user_home)
    try:
        with as_account(site):
            if not site.user_db_path.exists():
                return False
            store = UserStore(site.user_db_path, read_only=True)
        with store:
            return not is_published(store, account, site.accounts_home)
    except StoreError:
        return False


def _quoted(path: Path | str) -> str:
    return quote(str(path))

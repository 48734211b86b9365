"""The operator's door to the users' home directories.

Every access goes from the open root directory down by names relative to an open directory, and follows no symbolic
link: whatever users leave in their homes, nothing outside of the root is reached. The root itself may be a symbolic
link, since it is the operator's.

In the root, each user has a directory named `client_dir` and, as in MiG, a symbolic link named by the alias to it.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from ..errors import HomeError
from .handles import HANDLE, NEW_FILE, opened_directory
from .home import Home
from .removal import remove_tree, unlink_if_there

WELCOME = "welcome.txt"


class Homes:
    """The directory of all homes, as an open handle: a context manager.

    A new home gets the file welcome.txt with `welcome_text`. Methods raise HomeError.
    """

    def __init__(self, root: Path, welcome_text: str = "") -> None:
        self.root = root
        self.welcome_text = welcome_text
        try:
            self._root = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise HomeError(f"the directory of homes {root} cannot be used: {error.strerror}") from error

    def __enter__(self) -> Homes:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.close(self._root)

    def exists(self, client_dir: str) -> bool:
        """Whether the home is there. Raises HomeError if something else has its name."""
        with self._errors(client_dir):
            try:
                mode = os.lstat(_one_name(client_dir), dir_fd=self._root).st_mode
            except FileNotFoundError:
                return False
        if not stat.S_ISDIR(mode):
            raise HomeError(f"{self.root / client_dir} is not a directory; move it away")
        return True

    def open(self, client_dir: str) -> Home:
        """The home as its user sees it."""
        with self._errors(client_dir):
            return Home(os.open(_one_name(client_dir), HANDLE, dir_fd=self._root))

    def create(self, client_dir: str) -> None:
        """Make the home (0700) with its welcome.txt; one that exists is left as it is."""
        if self.exists(client_dir):
            return
        with self._errors(client_dir):
            os.mkdir(client_dir, 0o700, dir_fd=self._root)
            if self.welcome_text:
                with opened_directory(client_dir, self._root) as home:
                    descriptor = os.open(WELCOME, NEW_FILE, 0o600, dir_fd=home)
                    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                        file.write(self.welcome_text)

    def discard(self, client_dir: str) -> None:
        """Undo `create`: remove the home unless it holds anything but welcome.txt."""
        if not self.exists(client_dir):
            return
        with self._errors(client_dir), opened_directory(client_dir, self._root) as home:
            with os.scandir(home) as entries:
                names = {entry.name for entry in entries}
            if names <= {WELCOME}:
                unlink_if_there(WELCOME, home)
                os.rmdir(client_dir, dir_fd=self._root)

    def rename(self, old: str, new: str) -> None:
        """Give the home another name. Done already: no change; both names taken: HomeError."""
        if not self.exists(old):
            return
        if self.exists(new):
            raise HomeError(
                f"{self.root / old} cannot become {new}: that directory exists, with the data of an earlier user; "
                "move it away, or remove it with 'state: absent' and 'remove_data: true'"
            )
        with self._errors(old):
            os.rename(old, new, src_dir_fd=self._root, dst_dir_fd=self._root)

    def remove(self, client_dir: str) -> None:
        """Remove the home and all that is in it, however deep it is and whatever its modes are."""
        if not self.exists(client_dir):
            return
        with self._errors(client_dir):
            remove_tree(client_dir, self._root)

    def target(self, alias: str) -> str | None:
        """The client_dir that the alias leads to, or None. Raises HomeError if it is no link."""
        with self._errors(alias):
            try:
                return os.readlink(_one_name(alias), dir_fd=self._root)
            except FileNotFoundError:
                return None
            except OSError as error:
                if error.errno != errno.EINVAL:
                    raise
        raise HomeError(f"{self.root / alias} is not a symbolic link; move it away")

    def link(self, alias: str, client_dir: str) -> None:
        """Let the alias lead to the home."""
        if self.target(alias) == client_dir:
            return
        self.unlink(alias)
        with self._errors(alias):
            os.symlink(_one_name(client_dir), alias, dir_fd=self._root)

    def unlink(self, alias: str) -> None:
        """Remove the alias."""
        if self.target(alias) is not None:
            with self._errors(alias):
                unlink_if_there(alias, self._root)

    def flush(self) -> None:
        """Make what was done survive a power cut."""
        with self._errors("."):
            os.fsync(self._root)

    @contextmanager
    def _errors(self, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise HomeError(f"{self.root / name}: {error.strerror}") from error


def _one_name(name: str) -> str:
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise HomeError(f"{name!r} is not the name of a home")
    return name

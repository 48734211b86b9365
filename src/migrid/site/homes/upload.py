"""Files that appear under their names when they are complete."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import ExitStack, suppress
from io import BufferedWriter
from types import TracebackType

from .beneath import Beneath
from .errors import FileError, errors_of
from .files import open_new, refuse_all_but_files
from .handles import Place
from .paths import Names, partial_name
from .removal import unlink_if_there
from .system import rename_new


class Upload:
    """Writes `file` under a hidden name; `commit` gives it the right one, `discard` leaves nothing.

    As a context manager it is the file, committed at the end of the block, or discarded when the block fails. The
    directory is the one that was there at the start, whatever takes its place meanwhile. Methods raise FileError.
    """

    def __init__(self, beneath: Beneath, names: Names) -> None:
        self._names = names
        with ExitStack() as stack:
            self._target = stack.enter_context(beneath.changing(names))
            self._refuse(_status_of(self._target))
            self._partial = Place(self._target.directory, partial_name())
            self.file: BufferedWriter = open_new(self._partial, names)
            stack.callback(unlink_if_there, self._partial.name, self._partial.directory)
            self._stack = stack.pop_all()

    def __enter__(self) -> BufferedWriter:
        return self.file

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self.commit()
        else:
            self.discard()

    def commit(self) -> None:
        """Let the file appear. When that fails, nothing is left of it."""
        try:
            with errors_of(self._names):
                self.file.flush()
                self._finish()
        finally:
            self.discard()

    def discard(self) -> None:
        """Remove what was written; no change after `commit`."""
        with suppress(FileError):
            self.file.close()
        self._stack.close()

    def _refuse(self, there: os.stat_result | None) -> None:
        if there is not None:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))

    def _finish(self) -> None:
        rename_new(self._partial, self._target)


class Replacement(Upload):
    """An upload that may take the place of a file, whose mode it gets."""

    def _refuse(self, there: os.stat_result | None) -> None:
        if there is not None:
            refuse_all_but_files(there, self._names)

    def _finish(self) -> None:
        there = _status_of(self._target)
        self._refuse(there)
        if there is not None:
            os.fchmod(self.file.fileno(), stat.S_IMODE(there.st_mode) & 0o777)
        directory = self._partial.directory
        os.rename(self._partial.name, self._target.name, src_dir_fd=directory, dst_dir_fd=directory)


def _status_of(place: Place) -> os.stat_result | None:
    try:
        return os.lstat(place.name, dir_fd=place.directory)
    except FileNotFoundError:
        return None

"""The rule by which a path leads to a place in one home, and nowhere else. The kernel applies it.

A path goes from the open home down by openat2(2) with RESOLVE_BENEATH and RESOLVE_NO_MAGICLINKS. A relative symbolic
link is followed as long as it stays inside the home; an absolute one, one that leads out, also if it comes back in, one
that leads into what is the site's own, and one in a circle are refused, with an error that says so. Whatever is
exchanged meanwhile, the kernel looks at each step as it takes it. The last name is never followed where something is
changed. Where it is followed for reading, each link is read and its target looked up by the same rule from the home's
handle, so that the operation itself is always on one name in an open directory, without following a link.

Where openat2 is missing (Linux before 5.6, the system call filter of an old container engine), and for a path longer
than the kernel takes at once (4,095 bytes), no link is followed at all: each directory is opened by one name from the
one above, or in pieces with RESOLVE_NO_SYMLINKS.

Hard links need no rule: two names of one file have one owner and one mode, and this door and SFTP make hard links
inside one home only. So there is none to a file that its user could not open anyway.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress

from .errors import FileError, Kind, errors_of
from .handles import HANDLE, Place, closing
from .paths import RESERVED, Names, is_partial
from .system import Resolve, open_resolved

_PATH_BYTES = 4095  # PATH_MAX without the NUL
_LINKS = 40  # as many as the kernel follows
_MISSING = (errno.ENOSYS, errno.EPERM)
_FOLLOWING = Resolve.BENEATH | Resolve.NO_MAGICLINKS
_LEADS_OUT = "leads out of the home by a symbolic link; only relative links that stay inside are followed"
_CIRCLE = "leads through symbolic links in a circle"
_NOT_FOLLOWED = "leads through a symbolic link, which is not followed here"
_NOT_THE_USERS = "is not reachable: the symbolic link leads to what belongs to the site"


class Beneath:
    """The places below an open directory, the home `top`."""

    def __init__(self, top: int) -> None:
        self.top = top

    @contextmanager
    def changing(self, names: Names) -> Iterator[Place]:
        """The place of a name, whatever is there. Raises FileError; the home itself has no place."""
        if not names:
            raise FileError(Kind.NOT_ALLOWED, names, "is the home itself, which stays as it is")
        with errors_of(names), closing(self._above(names)) as directory:
            yield self._checked(Place(directory, names[-1]), names)

    @contextmanager
    def reading(self, names: Names) -> Iterator[Place]:
        """The place of what the path leads to, which was no link when it was looked at. Raises FileError."""
        with errors_of(names), ExitStack() as stack:
            place = Place(self._above(names), names[-1] if names else ".")
            stack.callback(os.close, place.directory)
            path = "/".join(names)
            for _ in range(_LINKS):
                target = _link_target(self._checked(place, names))
                if target is None:
                    yield place
                    return
                path = _followed(path, target, names)
                place = self._linked_place(path, names)
                stack.callback(os.close, place.directory)
            raise FileError(Kind.NOT_ALLOWED, names, _CIRCLE)

    def is_top(self, status: os.stat_result) -> bool:
        """Whether this is the home itself."""
        return _identity(status) == _identity(os.fstat(self.top))

    def _above(self, names: Names) -> int:
        """A handle on the directory that holds the last name."""
        try:
            return open_plain(self.top, names[:-1], HANDLE)
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise
        return self._linked("/".join(names[:-1]), names)

    def _linked_place(self, path: str, names: Names) -> Place:
        above, _, name = path.rstrip("/").rpartition("/")
        if name in (".", ".."):
            return Place(self._linked(path, names), ".")
        return Place(self._linked(above, names), name)

    def _linked(self, path: str, names: Names) -> int:
        """A handle on the directory of a path with links, or with what a link held."""
        directory = _open_following(path, self.top, names)
        try:
            if self._is_the_sites(directory):
                raise FileError(Kind.NOT_ALLOWED, names, _NOT_THE_USERS)
        except BaseException:
            os.close(directory)
            raise
        return directory

    def _checked(self, place: Place, names: Names) -> Place:
        if is_partial(place.name) or (place.name in RESERVED and self.is_top(os.fstat(place.directory))):
            raise FileError(Kind.NOT_ALLOWED, names, _NOT_THE_USERS)
        return place

    def _is_the_sites(self, directory: int) -> bool:
        """Whether a directory is, or lies in, one that the site has in this home; or does not lie in it any more."""
        home, own = _identity(os.fstat(self.top)), set(self._sites_own())
        here, below = os.dup(directory), None
        try:
            while (identity := _identity(os.fstat(here))) != home:
                if identity in own or identity == below:
                    return True
                above, below = os.open("..", HANDLE, dir_fd=here), identity
                os.close(here)
                here = above
        finally:
            os.close(here)
        return False

    def _sites_own(self) -> Iterator[tuple[int, int]]:
        for name in RESERVED:
            with suppress(FileNotFoundError):
                yield _identity(os.lstat(name, dir_fd=self.top))


def open_plain(top: int, names: Sequence[str], flags: int) -> int:
    """Open what the names lead to from an open directory, following no link. Raises OSError: ELOOP at a link."""
    with ExitStack() as stack:
        *above, last = _pieces(names)
        for piece in above:
            top = _open_piece(top, piece, HANDLE)
            stack.callback(os.close, top)
        return _open_piece(top, last, flags)


def _pieces(names: Sequence[str]) -> Iterator[list[str]]:
    """The names in pieces that are no longer than a path can be."""
    piece: list[str] = []
    length = 0
    for name in names:
        size = len(os.fsencode(name)) + 1
        if length + size > _PATH_BYTES:
            yield piece
            piece, length = [], 0
        piece.append(name)
        length += size
    yield piece


def _open_piece(top: int, names: Sequence[str], flags: int) -> int:
    path = os.fsencode("/".join(names) or ".")
    try:
        return open_resolved(path, top, flags & ~os.O_NOFOLLOW, _FOLLOWING | Resolve.NO_SYMLINKS)
    except OSError as error:
        if error.errno not in _MISSING:
            raise
    return _walk(top, names, flags)


def _walk(top: int, names: Sequence[str], flags: int) -> int:
    descriptor = os.open(".", HANDLE if names else flags, dir_fd=top)
    for number, name in enumerate(names, start=1):
        with closing(descriptor) as above:
            descriptor = _step(above, name, flags if number == len(names) else HANDLE)
    return descriptor


def _step(above: int, name: str, flags: int) -> int:
    try:
        return os.open(name, flags | os.O_NOFOLLOW, dir_fd=above)
    except NotADirectoryError:
        if stat.S_ISLNK(os.lstat(name, dir_fd=above).st_mode):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP)) from None
        raise


def _open_following(path: str, top: int, names: Names) -> int:
    try:
        return open_resolved(os.fsencode(path or "."), top, HANDLE & ~os.O_NOFOLLOW, _FOLLOWING)
    except OSError as error:
        if error.errno == errno.EXDEV:
            raise FileError(Kind.NOT_ALLOWED, names, _LEADS_OUT) from error
        if error.errno == errno.ELOOP:
            raise FileError(Kind.NOT_ALLOWED, names, _CIRCLE) from error
        if error.errno in (*_MISSING, errno.ENAMETOOLONG):
            raise FileError(Kind.NOT_ALLOWED, names, _NOT_FOLLOWED) from error
        raise


def _link_target(place: Place) -> str | None:
    """What the link at this place holds; None when there is no link."""
    try:
        return os.readlink(place.name, dir_fd=place.directory)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOENT):
            raise
    return None


def _followed(path: str, target: str, names: Names) -> str:
    """The path from the home to where a link at `path` leads."""
    if target.startswith("/"):
        raise FileError(Kind.NOT_ALLOWED, names, _LEADS_OUT)
    above, slash, _ = path.rstrip("/").rpartition("/")
    return above + slash + target


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino

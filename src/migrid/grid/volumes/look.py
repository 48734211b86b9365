"""What a sender looks at in a round: the trees as they are, or snapshots of those that can have them."""

from __future__ import annotations

import os
import stat as modes
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .btrfs import Found, Snapshots, Touched, leaves_subvolumes_out, touched, updated
from .trees import Trees


@dataclass(frozen=True)
class Look:
    """What was found. `touched` has the trees of which the file system told what has changed since the last look; what
    has not changed in these is the same object in `before`."""

    trees: Trees
    found: Found
    touched: Mapping[bytes, Touched]
    before: Found


class Looking:
    """Looks at trees, one time after the other. `places` has a directory for the snapshots of each tree, by name."""

    def __init__(self, paths: Mapping[str, Path], places: Path | None) -> None:
        self._live = Trees(paths)
        self._paths = dict(paths)
        self._places = places
        self._snapshots: dict[str, Snapshots] | None = None
        self._trees = self._live
        self._before: Found = {}
        self.names = self._live.names

    def survey(self) -> Found:
        """What there is, live."""
        return self._live.scan()

    def look(self) -> Look:
        """Look once more; the trees of the last look are closed. Raises OSError."""
        self._end_look()
        frozen = self._freeze()
        if frozen:
            self._trees = Trees({**self._paths, **frozen}, frozen)
        before, told = self._before, dict[bytes, Touched]()
        found = Found()
        for name in self.names:
            found |= self._look_at(name, told)
        if self._refuse_incomplete(found):
            return self.look()
        self._before = found
        return Look(self._trees, found, told, before)

    def _look_at(self, tree: bytes, told: dict[bytes, Touched]) -> Found:
        """What is in a tree; what of it was touched is told, if anybody knows."""
        snapshots, before = self._of().get(os.fsdecode(tree)), self._before
        if snapshots is None:
            return self._trees.scan_tree(tree)
        changes = snapshots.changes(lambda path: _is_directory(before.get(tree + b"/" + path)))
        blocks = None if changes is None else touched(changes, self._trees, tree)
        if changes is None or blocks is None:
            return self._trees.scan_tree(tree)
        told[tree] = blocks
        if changes.moved:
            return self._trees.scan_tree(tree)
        prefix = tree + b"/"
        inside = {path: stat for path, stat in before.items() if path == tree or path.startswith(prefix)}
        return updated(inside, changes, self._trees, tree)

    def _refuse_incomplete(self, found: Found) -> bool:
        """Read trees live from now on whose snapshots leave something out; true if there are any."""
        names = [name for name in self._of() if leaves_subvolumes_out(found, os.fsencode(name))]
        for name in names:
            self._refuse(name)
        if names:
            for snapshots in self._of().values():
                snapshots.close()
        return bool(names)

    def looked(self) -> None:
        """What was found has been sent: the look before is of no use any more."""
        for snapshots in self._of().values():
            snapshots.drop_previous()

    def close(self) -> None:
        self._end_look()
        for snapshots in (self._snapshots or {}).values():
            snapshots.close()
        self._live.close()

    def _of(self) -> dict[str, Snapshots]:
        """The snapshots of the trees that can have them, by name."""
        if self._snapshots is None:
            places = self._places
            able = {name: places and Snapshots.of(name, path, places / name) for name, path in self._paths.items()}
            self._snapshots = {name: snapshots for name, snapshots in able.items() if snapshots}
        return self._snapshots

    def _freeze(self) -> dict[str, Path]:
        """New snapshots; a tree of which there is none is read live from now on."""
        frozen = {}
        for name, snapshots in list(self._of().items()):
            try:
                frozen[name] = snapshots.take()
            except (OSError, subprocess.CalledProcessError):
                self._refuse(name)
        return frozen

    def _refuse(self, name: str) -> None:
        self._of().pop(name).close()

    def _end_look(self) -> None:
        if self._trees is not self._live:
            self._trees.close()
            self._trees = self._live


def _is_directory(stat: os.stat_result | None) -> bool:
    return stat is not None and modes.S_ISDIR(stat.st_mode)

"""What a sender looks at in a round: the trees as they are, or snapshots of those that can have them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .btrfs import Snapshots, Touched, leaves_subvolumes_out
from .trees import Trees


@dataclass(frozen=True)
class Look:
    """What was found. `touched` has the trees of which the file system told what has changed since the last look."""

    trees: Trees
    found: Mapping[bytes, os.stat_result]
    touched: Mapping[bytes, Touched]


class Looking:
    """Looks at trees, one time after the other. `places` has a directory for the snapshots of each tree, by name."""

    def __init__(self, paths: Mapping[str, Path], places: Path | None) -> None:
        self._live = Trees(paths)
        self._paths = dict(paths)
        self._places = places
        self._snapshots: dict[str, Snapshots] | None = None
        self._trees = self._live
        self.names = self._live.names

    def survey(self) -> Mapping[bytes, os.stat_result]:
        """What there is, live."""
        return self._live.scan()

    def look(self) -> Look:
        """Look once more; the trees of the last look are closed. Raises OSError."""
        self._end_look()
        frozen = self._freeze()
        if not frozen:
            return Look(self._live, self._live.scan(), {})
        self._trees = Trees({**self._paths, **frozen}, frozen)
        found = self._trees.scan()
        for name in frozen:
            if leaves_subvolumes_out(found, os.fsencode(name)):
                self._refuse(name)
                return self.look()
        told = {os.fsencode(name): self._of()[name].touched(self._trees) for name in frozen}
        return Look(self._trees, found, {name: touched for name, touched in told.items() if touched is not None})

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

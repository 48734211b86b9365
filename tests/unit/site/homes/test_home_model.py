"""Any sequence of operations does to a home what it does to a plain model."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from hostile_home import (
    is_done,
    read,
    refusal,
    write,
)
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from migrid.site.homes import EntryKind, Homes

NAMES = st.sampled_from(["a", "b", "ä\n", "\udcff"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map(tuple)
Model = dict[tuple[str, ...], bytes | None]


class FilesOfAUser(RuleBasedStateMachine):
    """The model has the paths of a home, and the bytes of the files; None for a directory."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        top = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        (top / "ada").mkdir()
        homes = self.stack.enter_context(Homes(top))
        self.home = self.stack.enter_context(homes.open("ada"))
        self.model: Model = {(): None}
        self.trash: dict[str, tuple[tuple[str, ...], Model]] = {}

    def teardown(self) -> None:
        self.stack.close()

    @rule(path=PATHS, data=st.binary(max_size=3))
    def replace(self, path: tuple[str, ...], data: bytes) -> None:
        allowed = self._is_directory(path[:-1]) and self.model.get(path, b"") is not None
        if self._does(allowed, lambda: write(self.home, path, data)):
            self.model[path] = data

    @rule(path=PATHS)
    def create(self, path: tuple[str, ...]) -> None:
        if self._does(self._is_free(path), lambda: self.home.create(path).commit()):
            self.model[path] = b""

    @rule(path=PATHS)
    def make_directory(self, path: tuple[str, ...]) -> None:
        if self._does(self._is_free(path), lambda: self.home.make_directory(path)):
            self.model[path] = None

    @rule(path=PATHS, offset=st.integers(0, 4), data=st.binary(max_size=3))
    def resume(self, path: tuple[str, ...], offset: int, data: bytes) -> None:
        def act() -> None:
            with self.home.resume(path, offset) as file:
                file.write(data)

        old = self.model.get(path)
        if self._does(old is not None and offset <= len(old), act):
            self.model[path] = old[:offset] + data + old[offset + len(data) :]

    @rule(old=PATHS, new=PATHS)
    def move(self, old: tuple[str, ...], new: tuple[str, ...]) -> None:
        allowed = old in self.model and self._is_free(new) and new[: len(old)] != old
        if self._does(allowed, lambda: self.home.move(old, new)):
            self._add(new, self._take(old))

    @rule(old=PATHS, new=PATHS)
    def copy(self, old: tuple[str, ...], new: tuple[str, ...]) -> None:
        if self._does(old in self.model and self._is_free(new), lambda: self.home.copy(old, new)):
            self._add(new, self._below(old))

    @rule(path=PATHS)
    def remove(self, path: tuple[str, ...]) -> None:
        if self._does(path in self.model, lambda: self.home.remove(path)):
            self._take(path)

    @rule(path=PATHS)
    def remove_directory(self, path: tuple[str, ...]) -> None:
        if self._does(self._below(path) == {(): None}, lambda: self.home.remove_directory(path)):
            self._take(path)

    @rule(path=PATHS)
    def delete(self, path: tuple[str, ...]) -> None:
        if path in self.model:
            self.trash[self.home.delete(path)] = path, self._take(path)
        else:
            refusal(lambda: self.home.delete(path))

    @rule(choose=st.randoms())
    def restore(self, choose: random.Random) -> None:
        if self.trash:
            identifier = choose.choice(sorted(self.trash))
            path, files = self.trash[identifier]
            if self._does(self._is_free(path), lambda: self.home.trash.restore(identifier)):
                self._add(path, files)
                del self.trash[identifier]

    @rule()
    def empty_the_trash(self) -> None:
        self.home.trash.empty()
        self.trash.clear()

    @invariant()
    def the_home_is_as_the_model(self) -> None:
        assert dict(self._found(())) == self.model
        assert {item.identifier: item.names for item in self.home.trash.items()} == {
            identifier: path for identifier, (path, _) in self.trash.items()
        }

    def _does(self, allowed: bool, act: Callable[[], object]) -> bool:
        assert is_done(act) == allowed
        return allowed

    def _found(self, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], bytes | None]]:
        if self.home.stat(path).kind == EntryKind.FILE:
            yield path, read(self.home, path)
            return
        yield path, None
        for name in self.home.listing(path):
            yield from self._found((*path, name))

    def _is_directory(self, path: tuple[str, ...]) -> bool:
        return self.model.get(path, b"") is None

    def _is_free(self, path: tuple[str, ...]) -> bool:
        return self._is_directory(path[:-1]) and path not in self.model

    def _below(self, top: tuple[str, ...]) -> Model:
        return {path[len(top) :]: data for path, data in self.model.items() if path[: len(top)] == top}

    def _take(self, top: tuple[str, ...]) -> Model:
        found = self._below(top)
        for path in found:
            del self.model[top + path]
        return found

    def _add(self, top: tuple[str, ...], files: Model) -> None:
        self.model |= {top + path: data for path, data in files.items()}


TestFilesOfAUser = FilesOfAUser.TestCase
TestFilesOfAUser.settings = settings(max_examples=25, stateful_step_count=30)

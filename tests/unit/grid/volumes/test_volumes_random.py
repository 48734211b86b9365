"""Whatever is done to a tree between rounds, the last round makes the target equal."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_tree import RandomTree
from volumes_rig import Pair, finish, on_subvolume, quiet, wait_for_tick

from migrid.grid.volumes import plan


@pytest.fixture(scope="module")
def base(request: pytest.FixtureRequest) -> Path:
    """A directory on a file system whose ctime is believed, or not."""
    kind: Path = request.getfixturevalue(request.param)
    return kind


@pytest.mark.parametrize("base", ["ext4", "tmpfs", "btrfs"], indirect=True)
@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**32), steps=st.lists(st.sampled_from(["live", "final", "session"]), min_size=1, max_size=5)
)
def test_a_last_round_makes_the_target_equal(
    base: Path, tmp_path_factory: pytest.TempPathFactory, seed: int, steps: list[str]
) -> None:
    work = tmp_path_factory.mktemp("state")
    top = base / f"random{work.name}"
    if base.name == "btrfs":
        pair = on_subvolume(top, work / "state")
    else:
        pair = Pair(top / "source", top / "target", work / "state")
    tree = RandomTree(pair.source, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "RACY_NANOSECONDS", 0)
        _play(pair, tree, steps)
    shutil.rmtree(os.fsencode(top))


def _play(pair: Pair, tree: RandomTree, steps: list[str]) -> None:
    left = list(steps)
    while left:
        with pair.session() as session:
            while left and (step := left.pop(0)) != "session":
                tree.edit(12)
                wait_for_tick(pair.source.parent)
                session.round(step == "final", None, quiet)
                if tree.random.random() < 0.5:
                    session.verify(quiet)
                wait_for_tick(pair.source.parent)
            tree.edit(5)
            finish(session)
        pair.assert_equal()

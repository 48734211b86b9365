"""Fixtures of the tests of the OpenID Connect provider."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from openid_site import ADA, CODE, THORDIS, Clock, OpenidSite, People

from migrid.site.openid import keys


@pytest.fixture(scope="session")
def made_keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a signing key, a small one: to make and to load a big one takes time."""
    directory = tmp_path_factory.mktemp("keys")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys, "KEY_BITS", 1024)
        keys.Keys(directory / "keys", 60).make()
    return directory


@pytest.fixture
def directory(made_keys: Path, tmp_path: Path) -> Path:
    """The provider's own directory."""
    return Path(shutil.copytree(made_keys, tmp_path / "openid_store"))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def people(clock: Clock) -> People:
    """Ada has a password only; Þórdís has a second factor too."""
    people = People(clock)
    people.add(ADA)
    people.add(THORDIS, CODE)
    return people


@pytest.fixture
def site(directory: Path, clock: Clock, people: People) -> OpenidSite:
    return OpenidSite(directory, clock, people)


@pytest.fixture(scope="module")
def shared_site(made_keys: Path, tmp_path_factory: pytest.TempPathFactory) -> OpenidSite:
    """A site for tests that change nothing in it."""
    directory = Path(shutil.copytree(made_keys, tmp_path_factory.mktemp("shared") / "openid_store"))
    clock = Clock()
    return OpenidSite(directory, clock, People(clock))

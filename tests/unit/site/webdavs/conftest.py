"""Fixtures of the tests of WebDAV."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from dav_client import DN, PASSWORD, DavClient
from sample_site import SampleSite

from migrid.site.configuration import load
from migrid.site.webdavs.application import Application

NAMES = ("ada", "bo")
EMPTIED = ("davs_store", "mig_system_run", "log")


@pytest.fixture(scope="module")
def made_site() -> Iterator[SampleSite]:
    """A site with the users ada and bo, which takes time to make."""
    if os.geteuid() != 0:
        pytest.skip("needs root, as the command mig does")
    with tempfile.TemporaryDirectory(prefix="mig-site-") as directory:
        site = SampleSite(Path(directory))
        site.build()
        secret = site.root / "password"
        secret.write_text(PASSWORD, encoding="utf-8")
        for name in NAMES:
            site.inside("createuser", "-i", DN.format(name), "--password-file", str(secret))
        yield site


@pytest.fixture
def site(made_site: SampleSite) -> SampleSite:
    """The site with nothing in it that was left by another test."""
    homes = [(made_site.state / f"user_home/{name}@example.org").resolve() for name in NAMES]
    for directory in (*homes, *(made_site.state / name for name in EMPTIED)):
        for entry in directory.iterdir():
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    for home in homes:
        (home / "welcome.txt").write_text("Welcome\n", encoding="utf-8")
    return made_site


@pytest.fixture
def application(site: SampleSite) -> Application:
    return Application(load(site.conf))


@pytest.fixture
def ada(application: Application) -> DavClient:
    return DavClient(application)


@pytest.fixture
def bo(application: Application) -> DavClient:
    return DavClient(application, login="bo@example.org")


@pytest.fixture
def home(site: SampleSite) -> Path:
    return (site.state / "user_home/ada@example.org").resolve()

"""`mig tidy`, which a timer runs each day."""

from __future__ import annotations

from pathlib import Path

import pytest
from sample_site import SampleSite
from test_reconcile import ADA, ADA_DIR, BO, Site

from migrid.site.access import as_account
from migrid.site.configuration import load
from migrid.site.homes import Homes


@pytest.fixture
def site(sample_site: SampleSite) -> Site:
    site = Site(sample_site)
    site.apply(ADA, BO)
    return site


def trash_of_ada(site: Site) -> set[str]:
    return {path.name for path in (site.homes / ADA_DIR / ".trash/files").iterdir()}


def delete(site: Site, name: str) -> str:
    with as_account(load(site.sample.conf)), Homes(site.homes) as homes, homes.open(ADA_DIR) as home:
        with home.create(name) as upload:
            upload.write(b"data")
        return home.delete(name)


def age(record: Path) -> None:
    text = record.read_text()
    record.write_text(text.replace(text.rpartition("DeletionDate=")[2], "2020-01-01T00:00:00\n"))


def test_only_what_is_old_goes(site: Site) -> None:
    old, new = delete(site, "old"), delete(site, "new")
    age(site.homes / ADA_DIR / f".trash/info/{old}.trashinfo")
    result = site.sample.mig("tidy", "--days", "30")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    assert trash_of_ada(site) == {new}


def test_a_home_without_a_trash_gets_none(site: Site) -> None:
    before = site.everything()
    assert site.sample.mig("tidy").returncode == 0
    assert site.everything() == before


def test_a_home_that_cannot_be_tidied_keeps_no_other_from_it(site: Site) -> None:
    age(site.homes / ADA_DIR / f".trash/info/{delete(site, 'old')}.trashinfo")
    (site.homes / "bo").resolve().rename(site.sample.root / "away")
    result = site.sample.mig("tidy")
    assert result.returncode == 1
    assert result.stderr.count("No such file or directory") == 1
    assert trash_of_ada(site) == set()


@pytest.mark.parametrize("days", ["0", "-1", "x", "100000"])
def test_a_wrong_number_of_days_is_refused(sample_site: SampleSite, days: str) -> None:
    result = sample_site.mig("tidy", "--days", days)
    assert result.returncode == 2
    assert "write 1 to 36500" in result.stderr or "expected one argument" in result.stderr

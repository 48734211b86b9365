"""`mig checkconf` finds every problem of the configuration file and the state directory, and says what to do."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
from sample_site import SampleSite

from migrid.site.checkconf import problems

ADA = "/C=DK/ST=NA/L=NA/O=NA/OU=NA/CN=Ada Example/emailAddress=ada@example.org"


@pytest.fixture
def site_with_ada(sample_site: SampleSite) -> SampleSite:
    sample_site.inside("createuser", "-i", ADA)
    return sample_site


def test_a_sound_site_has_no_problem(site_with_ada: SampleSite) -> None:
    result = site_with_ada.mig("checkconf")
    assert (result.returncode, result.stdout, result.stderr) == (0, f"{site_with_ada.conf}: no problem found.\n", "")


@pytest.mark.parametrize(
    ("globals_text", "site_text", "message"),
    [
        ("user_sftp_portt = 22", "", ":5: [GLOBAL] user_sftp_portt: this key is unknown; did you mean user_sftp_port?"),
        ("", "enable_sftpp = True", ":9: [SITE] enable_sftpp: this key is unknown; did you mean enable_sftp?"),
        ("quite_another_thing = 1", "", "quite_another_thing: this key is unknown; remove it"),
        ("title = Grid", "", ":5: [GLOBAL] title: this key is unknown; move it to section [SITE]"),
        ("", "[Sites]\ntitle = Grid", "[Sites]: this section is unknown; did you mean SITE?"),
        ("", "[DEFAULT]\ntitle = Grid", "[DEFAULT]: this section is unknown; remove it"),
        ("user_sftp_port = 22\nuser_sftp_port = 23", "", ":6: [GLOBAL] user_sftp_port: it is also on line 5; keep one"),
        ("user_sftp_port = 70000", "", ":5: [GLOBAL] user_sftp_port: '70000' is not a port"),
        ("user_home = %(stat_path)s/x", "", "did you mean state_path?"),
        ("", "enable_sftp_subsys = jawohl", "'jawohl' is neither true nor false; write True or False"),
        (
            "user_sftp_subsys_port = 2222",
            "enable_sftp_subsys = True",
            ":5: [GLOBAL] user_sftp_subsys_port: it is also user_sftp_port; give each service its own port",
        ),
        ("", "welcome_text_file = /nowhere/welcome.txt", "cannot read /nowhere/welcome.txt: No such file or directory"),
        ("accounts_home = /nowhere", "", "/nowhere: does not exist; run site.yml"),
    ],
)
def test_a_wrong_file_is_reported(sample_site: SampleSite, globals_text: str, site_text: str, message: str) -> None:
    sample_site.configure(globals_text, site_text)
    assert any(message in str(problem) for problem in problems(sample_site.conf))


def test_every_problem_of_a_file_is_listed_in_the_order_of_its_lines(sample_site: SampleSite) -> None:
    sample_site.configure("user_sftp_portt = 1\nuser_sftp_port = x", "titel = Grid")
    result = sample_site.mig("checkconf")
    assert [line.split("] ")[1].split(":")[0] for line in result.stdout.splitlines()] == [
        "user_sftp_portt",
        "user_sftp_port",
        "titel",
    ]
    assert result.stderr == "3 problems found.\n"


def test_an_unreadable_file_is_not_a_problem_but_a_failure(sample_site: SampleSite) -> None:
    result = sample_site.mig("checkconf", "--conf", "/nowhere/MiGserver.conf")
    assert result.returncode == 2
    assert "cannot read /nowhere/MiGserver.conf: No such file or directory" in result.stderr


def test_the_file_can_be_checked_before_the_state_directory_exists(sample_site: SampleSite) -> None:
    sample_site.state.rename(sample_site.root / "elsewhere")
    assert sample_site.mig("checkconf", "--file-only").returncode == 0
    result = sample_site.mig("checkconf")
    assert (result.returncode, result.stdout.partition(";")[0]) == (1, f"{sample_site.state}: does not exist")


def _home(site: SampleSite) -> Path:
    return next(path for path in (site.state / "user_home").iterdir() if not path.is_symlink())


def _remove_home(site: SampleSite) -> None:
    (_home(site) / "welcome.txt").unlink()
    _home(site).rmdir()


def _pickle(site: SampleSite) -> None:
    (site.state / "user_db_home/MiG-users.db").write_bytes(pickle.dumps({b"/C=DK/CN=A": {b"email": b""}}, protocol=0))


def _forget_publication(site: SampleSite) -> None:
    (site.accounts / "generation").write_text("0\n")


@pytest.mark.parametrize(
    ("damage", "place", "message"),
    [
        (lambda site: (site.state / "log").rmdir(), "log", "does not exist; run: mkdir -m 0700"),
        (
            lambda site: (site.state / "user_db_home").rename(site.root / "x"),
            "user_db_home",
            "does not exist; run: mkdir",
        ),
        (lambda site: (site.state / "wwwpublic").chmod(0o777), "wwwpublic", "its mode is 0777; run: chmod go-w"),
        (lambda site: (site.state / "user_db_home").chmod(0o750), "user_db_home", "its mode is 0750; run: chmod go="),
        (lambda site: os.chown(site.state / "log", 4711, 4711), "log", "belongs to user id 4711, not 4242; run: chown"),
        (
            lambda site: os.chown(site.state / "user_db_home", 0, 0),
            "user_db_home",
            "belongs to root; give it to the site's account",
        ),
        (lambda site: (site.state / "user_db_home/MiG-users.db").chmod(0o644), "user_db_home/MiG-users.db", "0644"),
        (
            _pickle,
            "user_db_home/MiG-users.db",
            "is not an SQLite file; if it is the pickled user database of an earlier MiG",
        ),
        (_remove_home, "user_home/+C=DK", "the home of ada@example.org does not exist; run: mig edituser -i '/C=DK"),
        (lambda site: _home(site).chmod(0o755), "user_home/+C=DK", "its mode is 0755; run: chmod go="),
        (
            lambda site: (site.state / "user_home/ada@example.org").unlink(),
            "user_home/ada@example.org",
            "is not a link to the home of ada@example.org; run: mig edituser",
        ),
        (lambda site: (site.state / "user_home/x").symlink_to("y"), "user_home/x", "is a link of no user; run: rm"),
        (lambda site: (site.state / "user_home/x").touch(), "user_home/x", "is neither a home nor an alias; move it"),
        (_forget_publication, "../accounts", "is older than the user store; run playbooks/users.yml"),
    ],
)
def test_a_damaged_state_directory_is_reported(
    site_with_ada: SampleSite, damage: Callable[[SampleSite], object], place: str, message: str
) -> None:
    damage(site_with_ada)
    found = [str(problem) for problem in problems(site_with_ada.conf) if message in str(problem)]
    assert len(found) == 1
    assert found[0].startswith(os.path.normpath(site_with_ada.state / place))


def test_what_edituser_repairs_is_no_problem_afterwards(site_with_ada: SampleSite) -> None:
    _remove_home(site_with_ada)
    site_with_ada.inside("edituser", "-i", ADA)
    assert problems(site_with_ada.conf) == []


def test_a_kept_home_is_a_note(site_with_ada: SampleSite) -> None:
    home = _home(site_with_ada)
    site_with_ada.inside("deleteuser", "-i", ADA, "--yes")
    result = site_with_ada.mig("checkconf")
    assert result.returncode == 0
    assert f"Note: {home} was kept when its user was removed." in result.stdout


def test_looking_changes_nothing(site_with_ada: SampleSite) -> None:
    before = _listing(site_with_ada)
    site_with_ada.mig("checkconf")
    assert _listing(site_with_ada) == before


def _listing(site: SampleSite) -> list[tuple[str, int, int, bytes]]:
    paths = sorted(path for path in site.root.rglob("*") if not path.is_symlink())
    contents = (path.read_bytes() if path.is_file() else b"" for path in paths)
    return [
        (str(path), path.stat().st_mode, path.stat().st_uid, content)
        for path, content in zip(paths, contents, strict=True)
    ]

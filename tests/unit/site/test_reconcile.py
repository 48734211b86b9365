"""Users of a site, from entries to homes, store and host accounts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sample_site import ACCOUNT, SampleSite

from migrid.site.configuration import load
from migrid.site.errors import EntriesError, HomeError, PrivilegeError
from migrid.site.passwords import hash_password, verify
from migrid.site.plan import UpdatePassword
from migrid.site.reconcile import Outcome, reconcile
from migrid.site.store import User, UserStore
from migrid.site.users import parse_entries

ADA = {"full_name": "Ada Example", "email": "ada@example.org", "organization": "Test Org"}
ADA_ID = "/C=NA/ST=NA/L=NA/O=Test Org/OU=NA/CN=Ada Example/emailAddress=ada@example.org"
ADA_DIR = "+C=NA+ST=NA+L=NA+O=Test_Org+OU=NA+CN=Ada_Example+emailAddress=ada@example.org"
BO = {"full_name": "Bo Example", "email": "bo@example.org", "alias": "bo"}
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
HASH = hash_password("Secret.1")


class Site:
    """The sample site, with what a test asks of it."""

    def __init__(self, sample: SampleSite) -> None:
        self.sample = sample
        self.homes = sample.state / "user_home"

    def apply(self, *entries: dict[str, Any], **options: Any) -> Outcome:
        return reconcile(load(self.sample.conf), parse_entries(entries), **options)

    def actions(self, *entries: dict[str, Any], **options: Any) -> list[tuple[str, str, tuple[str, ...]]]:
        changes = self.apply(*entries, **options).changes
        return [(change.alias, change.action, change.fields) for change in changes]

    def problems(self, *entries: dict[str, Any], **options: Any) -> list[str]:
        before = self.everything()
        with pytest.raises(EntriesError) as caught:
            self.apply(*entries, **options)
        assert self.everything() == before
        return caught.value.problems

    def users(self) -> dict[str, User]:
        with UserStore(self.sample.state / "user_db_home" / "MiG-users.db", read_only=True) as store:
            return {user.alias: user for user in store.users()}

    def published(self, name: str = "passwd") -> list[str]:
        return (self.sample.accounts / name).read_text(encoding="utf-8").splitlines()

    def logins(self) -> set[str]:
        return {line.partition(":")[0] for line in self.published()}

    def keys(self) -> set[str]:
        return {path.name for path in (self.sample.accounts / "keys").iterdir()}

    def everything(self) -> tuple[object, ...]:
        homes = {path.relative_to(self.homes): path.lstat().st_ino for path in self.homes.rglob("*")}
        accounts = {path: path.lstat().st_ino for path in self.sample.accounts.rglob("*")}
        return homes, self.users(), accounts


@pytest.fixture
def site(sample_site: SampleSite) -> Site:
    return Site(sample_site)


def test_a_new_user_has_all_that_is_needed(site: Site) -> None:
    outcome = site.apply({**ADA, "password": "Secret.1", "public_keys": [KEY], "comment": "first"})
    assert [(change.client_id, change.action) for change in outcome.changes] == [(ADA_ID, "created")]
    assert outcome.published
    user = site.users()["ada@example.org"]
    assert verify("Secret.1", user.password_hash)
    assert (user.client_id, user.client_dir, user.comment) == (ADA_ID, ADA_DIR, "first")
    assert (site.homes / "ada@example.org" / "welcome.txt").read_text(
        encoding="utf-8"
    ) == "Welcome to the sample site\n"
    assert site.published() == [
        f"ada@example.org:x:{ACCOUNT}:{ACCOUNT}::{site.homes}/{ADA_DIR}:/usr/sbin/nologin",
    ]
    assert site.published("keys/ada@example.org") == [KEY]


def test_all_of_the_state_belongs_to_the_account(site: Site) -> None:
    site.apply({**ADA, "password_hash": HASH}, BO)
    paths = [path for path in site.sample.state.rglob("*") if not path.is_symlink()]
    assert {(path.stat().st_uid, path.stat().st_gid) for path in paths} == {(ACCOUNT, ACCOUNT)}
    assert not [path for path in paths if path.stat().st_mode & 0o077]
    assert (os.geteuid(), os.getegid()) == (0, 0)


def test_the_second_time_nothing_changes(site: Site) -> None:
    entries = ({**ADA, "password": "Secret.1", "public_keys": [KEY], "expire": "2100-01-01"}, BO)
    site.apply(*entries)
    before = site.everything()
    for options in ({}, {"update_password": UpdatePassword.ALWAYS}, {"purge": True}):
        assert not site.apply(*entries, **options).changed
    assert site.everything() == before


def test_a_dry_run_tells_the_truth_and_changes_nothing(site: Site) -> None:
    site.apply(ADA, BO)
    entries = (
        {**ADA, "comment": "new", "password": "Secret.1"},
        {**BO, "state": "absent"},
        {"full_name": "Cy", "email": "cy@example.org"},
    )
    before = site.everything()
    said = site.apply(*entries, dry_run=True)
    assert site.everything() == before
    assert said == site.apply(*entries)
    assert {change.action for change in said.changes} == {"changed", "removed", "created"}


def test_a_dry_run_works_before_there_is_a_site() -> None:
    (change,) = reconcile(None, parse_entries([ADA]), dry_run=True).changes
    assert change.action == "created"


def test_what_an_entry_leaves_out_stays(site: Site) -> None:
    site.apply(
        {**ADA, "alias": "ada", "password_hash": HASH, "public_keys": [KEY], "expire": "2100-01-01", "comment": "x"}
    )
    before = site.users()
    assert not site.apply(ADA).changed
    assert site.users() == before
    assert site.actions({**ADA, "public_keys": [], "expire": "", "comment": ""}) == [
        ("ada", "changed", ("public_keys", "expire", "comment"))
    ]
    assert site.keys() == set()


def test_passwords_are_updated_only_when_asked(site: Site) -> None:
    site.apply({**ADA, "password": "Secret.1"})
    assert not site.apply({**ADA, "password": "Secret.2"}).changed
    always = {"update_password": UpdatePassword.ALWAYS}
    assert site.actions({**ADA, "password": "Secret.2"}, **always) == [("ada@example.org", "changed", ("password",))]
    assert verify("Secret.2", site.users()["ada@example.org"].password_hash)
    assert not site.apply({**ADA, "password": "Secret.2"}, **always).changed
    assert site.apply({**ADA, "password_hash": HASH}, **always).changed
    assert not site.apply({**ADA, "password_hash": HASH}, **always).changed
    assert not site.apply(ADA, **always).changed


def test_credentials_of_a_service_stay_until_they_are_changed(site: Site) -> None:
    always = {"update_password": UpdatePassword.ALWAYS}
    entry = {**ADA, "services": {"sftp": {"password": "Secret.2", "public_keys": [KEY]}, "davs": {"enabled": False}}}
    site.apply(entry)
    before = site.users()
    assert verify("Secret.2", before["ada@example.org"].credentials("sftp").password_hash)
    for again in (entry, ADA, {**ADA, "services": {"sftp": {}, "davs": {}, "web": {"enabled": True}}}):
        assert not site.apply(again, **always).changed
    (change,) = site.apply({**ADA, "services": {"sftp": {"password": "Secret.3"}}}, **always).changes
    assert change.fields == ("services",)
    assert set(change.before.splitlines()) ^ set(change.after.splitlines()) == {
        "sftp password: set",
        "sftp password: changed",
    }
    (change,) = site.apply(
        {**ADA, "services": {"sftp": {"password_hash": ""}, "davs": {"enabled": True}}}, **always
    ).changes
    assert "davs access: no\n" in change.before
    assert "davs" not in change.after
    assert "sftp password: removed\n" in change.after
    site.apply({**ADA, "services": {"sftp": {"public_keys": []}}})
    assert site.users()["ada@example.org"].services == ()


def test_passwords_of_services_are_those_of_new_users_too(site: Site) -> None:
    site.apply({**ADA, "services": {"sftp": {"password_hash": HASH}}})
    assert not site.apply({**ADA, "services": {"sftp": {"password": "Secret.2"}}}).changed


def test_the_policy_of_the_site_holds_for_services(site: Site) -> None:
    (problem,) = site.problems({**ADA, "services": {"davs": {"password": "simple"}}})
    assert "field 'services.davs.password': is too short: the site's policy MEDIUM asks for 8" in problem


def test_login_methods_are_a_property_like_others(site: Site) -> None:
    site.apply({**ADA, "login_methods": ["migcert"]})
    assert not site.apply(ADA).changed
    (change,) = site.apply({**ADA, "login_methods": "all"}).changes
    assert change.fields == ("login_methods",)
    assert "login methods: migcert\n" in change.before
    assert "login methods: all\n" in change.after


def test_services_go_with_a_user_who_is_renamed(site: Site) -> None:
    site.apply({**ADA, "services": {"sftp": {"public_keys": [KEY]}}, "login_methods": ["extcert"]})
    before = site.users()["ada@example.org"]
    site.apply(MOVED)
    after = site.users()["ada.example@example.org"]
    assert (after.services, after.login_methods) == (before.services, before.login_methods)
    assert site.keys() == {"ada.example@example.org"}


def test_the_policy_of_the_site_holds_for_new_passwords(site: Site) -> None:
    found = site.problems(
        {**ADA, "password": "simple"}, BO, {"full_name": "Cy", "email": "c@example.org", "password": "x"}
    )
    assert [problem.partition(":")[0] for problem in found] == ["mig_users[0] (Ada Example)", "mig_users[2] (Cy)"]
    assert "field 'password': is too short: the site's policy MEDIUM asks for 8 characters" in found[0]
    site.apply({**ADA, "password": "Secret.1"})
    assert not site.apply({**ADA, "password": "simple"}).changed


def test_a_suspended_user_keeps_everything(site: Site) -> None:
    site.apply({**ADA, "password_hash": HASH, "public_keys": [KEY]})
    user = site.users()["ada@example.org"]
    assert site.actions({**ADA, "state": "suspended"}) == [("ada@example.org", "suspended", ("state",))]
    assert (site.homes / ADA_DIR).is_dir()
    assert site.actions(ADA) == [("ada@example.org", "resumed", ("state",))]
    assert site.users()["ada@example.org"] == user
    assert (site.logins(), site.keys()) == ({"ada@example.org"}, {"ada@example.org"})


def test_a_removed_user_gets_the_data_back(site: Site) -> None:
    site.apply(ADA)
    (site.homes / ADA_DIR / "data").touch()
    assert site.actions({**ADA, "state": "absent"}) == [("ada@example.org", "removed", ())]
    assert (site.users(), site.logins()) == ({}, set())
    assert [path.name for path in site.homes.iterdir()] == [ADA_DIR]
    assert not site.apply({**ADA, "state": "absent"}).changed
    site.apply(ADA)
    assert (site.homes / "ada@example.org" / "data").exists()


def test_data_is_removed_when_asked(site: Site, tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    site.apply(ADA)
    (site.homes / ADA_DIR / "link").symlink_to(tmp_path)
    gone = {**ADA, "state": "absent", "remove_data": True}
    assert site.actions(gone, dry_run=True) == site.actions(gone) == [("ada@example.org", "removed", ("data",))]
    assert list(site.homes.iterdir()) == []
    assert (tmp_path / "precious").exists()
    assert not site.apply(gone).changed


def test_data_of_a_user_removed_earlier_is_removed_too(site: Site) -> None:
    site.apply(ADA)
    site.apply({**ADA, "state": "absent"})
    assert site.apply({**ADA, "state": "absent", "remove_data": True}).changed
    assert list(site.homes.iterdir()) == []


def test_purge_removes_who_is_not_named_and_keeps_the_data(site: Site) -> None:
    site.apply(ADA, BO)
    assert site.actions(BO, purge=True) == [("ada@example.org", "removed", ())]
    assert set(site.users()) == {"bo"}
    assert (site.homes / ADA_DIR).is_dir()


MOVED = {**ADA, "email": "ada.example@example.org", "previous_distinguished_name": ADA_ID}


def test_a_changed_e_mail_address_keeps_home_and_password(site: Site) -> None:
    site.apply({**ADA, "password_hash": HASH, "public_keys": [KEY]})
    (site.homes / ADA_DIR / "data").touch()
    (change,) = site.apply(MOVED).changes
    assert (change.action, change.fields) == ("renamed", ("distinguished_name", "alias"))
    assert (site.homes / "ada.example@example.org" / "data").exists()
    assert not (site.homes / ADA_DIR).exists()
    assert not (site.homes / "ada@example.org").is_symlink()
    assert site.users()["ada.example@example.org"].password_hash == HASH
    assert (site.logins(), site.keys()) == ({"ada.example@example.org"}, {"ada.example@example.org"})
    assert not site.apply(MOVED, purge=True).changed


def test_an_alias_of_ones_own_survives_a_changed_e_mail_address(site: Site) -> None:
    site.apply({**ADA, "alias": "ada"})
    assert site.actions(MOVED) == [("ada", "renamed", ("distinguished_name",))]
    assert (site.homes / "ada" / "welcome.txt").exists()


def test_a_previous_name_that_nobody_has_is_no_obstacle(site: Site) -> None:
    assert site.actions(MOVED)[0][1] == "created"


def test_both_names_taken(site: Site) -> None:
    site.apply(ADA)
    site.apply({key: value for key, value in MOVED.items() if key != "previous_distinguished_name"})
    (problem,) = site.problems(MOVED)
    assert "field 'previous_distinguished_name'" in problem
    assert "remove one of them first" in problem


def test_the_new_home_has_data_of_an_earlier_user(site: Site) -> None:
    earlier = {key: value for key, value in MOVED.items() if key != "previous_distinguished_name"}
    site.apply(ADA, earlier)
    site.apply({**earlier, "state": "absent"})
    (problem,) = site.problems(MOVED)
    assert "with the data of an earlier user" in problem


def test_aliases_can_be_changed_and_swapped(site: Site) -> None:
    site.apply({**ADA, "alias": "one"}, {**BO, "alias": "two"})
    site.apply({**ADA, "alias": "two"}, {**BO, "alias": "one"})
    assert site.users()["two"].client_id == ADA_ID
    assert (site.homes / "two").readlink() == Path(ADA_DIR)
    assert dict(line.split(":x:") for line in site.published())["two"].endswith(f"{ADA_DIR}:/usr/sbin/nologin")


def test_a_taken_alias_is_refused_with_its_owner(site: Site) -> None:
    site.apply({**ADA, "alias": "one"}, BO)
    (problem,) = site.problems({"full_name": "Cy Example", "email": "cy@example.org", "alias": "ONE"})
    assert problem == f"mig_users[0] (Cy Example): field 'alias': 'one' is also that of {ADA_ID}; give another alias"


def test_an_alias_can_be_taken_over_from_who_leaves(site: Site) -> None:
    site.apply(BO)
    site.apply({**BO, "state": "absent"}, {**ADA, "alias": "bo"})
    assert site.users()["bo"].client_id == ADA_ID
    assert (site.homes / "bo").readlink() == Path(ADA_DIR)


def test_system_accounts_of_the_host_are_no_aliases(site: Site) -> None:
    (problem,) = site.problems({**ADA, "alias": "Root"})
    assert "field 'alias': 'root' is a system account of this host" in problem


def test_an_address_that_cannot_be_a_login_needs_an_alias(site: Site) -> None:
    odd = {"full_name": "Odd Example", "email": "o#d@example.org"}
    (problem,) = site.problems(odd)
    assert "field 'alias': 'o#d@example.org' cannot be a login; give an alias of letters" in problem
    site.apply({**odd, "alias": "odd"})
    assert not site.apply(odd).changed


def test_composed_and_decomposed_names_are_one_user(site: Site) -> None:
    zoe = {"full_name": "Zoë Ångström", "email": "zoë@example.org"}
    site.apply(zoe)
    assert not site.apply({key: unicodedata.normalize("NFD", value) for key, value in zoe.items()}).changed
    assert site.logins() == {"zoë@example.org"}


def test_signs_in_names(site: Site) -> None:
    names = ["O'Hara / Sons", "A+B=C", "back\\slash", "under_score 100%", "col:on", "x" * 64]
    site.apply(
        *({"full_name": name, "email": f"n{i}@example.org", "organization": name} for i, name in enumerate(names))
    )
    assert len(site.published()) == len(names)
    assert all(line.count(":") == 6 for line in site.published())
    for line in site.published():
        assert (Path(line.split(":")[5]) / "welcome.txt").exists()
    assert sorted(user.name.full_name for user in site.users().values()) == sorted(names)


def test_two_users_of_one_name(site: Site) -> None:
    site.apply(ADA, {**ADA, "email": "ada2@example.org"})
    assert len({line.split(":")[5] for line in site.published()}) == 2


def test_one_bad_entry_stops_all(site: Site) -> None:
    site.apply(BO)
    found = site.problems(
        ADA, {**BO, "state": "absent"}, {"full_name": "Cy", "email": "c@example.org", "alias": "root"}
    )
    assert len(found) == 1


def test_a_lost_home_is_made_again(site: Site) -> None:
    site.apply(ADA)
    (site.homes / "ada@example.org").unlink()
    (site.homes / ADA_DIR / "welcome.txt").unlink()
    (site.homes / ADA_DIR).rmdir()
    assert site.actions(ADA) == [("ada@example.org", "changed", ("home",))]
    assert (site.homes / "ada@example.org" / "welcome.txt").exists()


def test_a_failure_takes_the_homes_back(site: Site) -> None:
    site.apply(ADA)
    (site.homes / ADA_DIR / "data").touch()
    (site.homes / "zz@example.org").mkdir()
    before = site.everything()
    with pytest.raises(HomeError, match="is not a symbolic link; move it away"):
        site.apply(MOVED, BO, {"full_name": "Zz", "email": "zz@example.org"})
    assert site.everything() == before


def kill_when(step: str, sample: SampleSite) -> None:
    """Run the renaming of Ada in another process, which kills itself at `step`."""
    script = """
        import os, signal, sys
        sys.path.insert(0, {tests!r})
        from pathlib import Path
        import migrid.site.reconcile, migrid.site.store, migrid.site.undo
        from test_reconcile import BO, MOVED, Site
        from sample_site import SampleSite
        def die(*ignored): os.kill(os.getpid(), signal.SIGKILL)
        {step} = die
        Site(SampleSite(Path({root!r}))).apply(MOVED, BO)
    """
    text = textwrap.dedent(script).format(tests=str(Path(__file__).parent), root=str(sample.root), step=step)
    assert subprocess.run([sys.executable, "-c", text], check=False).returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("step", "committed"),
    [
        ("migrid.site.undo.Step.do", False),
        ("migrid.site.homes.Homes.create", False),
        ("migrid.site.homes.Homes.link", False),
        ("migrid.site.store.UserStore.replace", False),
        ("migrid.site.reconcile.publish", True),
        ("migrid.site.accounts._write", True),
    ],
)
def test_after_a_crash_the_next_run_finds_all_or_nothing(site: Site, step: str, committed: bool) -> None:
    site.apply({**ADA, "public_keys": [KEY]})
    (site.homes / ADA_DIR / "data").touch()
    kill_when(step, site.sample)
    wanted = {"ada.example@example.org", "bo"} if committed else {"ada@example.org"}
    site.apply()
    assert set(site.users()) == site.logins() == wanted
    homes = {path.name for path in site.homes.iterdir()}
    assert homes == wanted | {user.client_dir for user in site.users().values()}
    (ada,) = (user for user in site.users().values() if user.name.full_name == "Ada Example")
    assert (site.homes / ada.alias / "data").exists()
    assert site.keys() == {ada.alias}
    site.apply(MOVED, BO)
    assert not site.apply(MOVED, BO).changed
    assert (site.homes / "ada.example@example.org" / "data").exists()


def test_processes_at_work_at_once_keep_everything(site: Site) -> None:
    script = """
        import sys
        sys.path.insert(0, {tests!r})
        from pathlib import Path
        from test_reconcile import Site
        from sample_site import SampleSite
        site = Site(SampleSite(Path({root!r})))
        for number in range(10):
            site.apply({{"full_name": f"Ada {{number}}", "email": f"ada{{number}}@{worker}.example.org"}})
    """
    texts = [
        textwrap.dedent(script).format(tests=str(Path(__file__).parent), root=str(site.sample.root), worker=worker)
        for worker in ("a", "b", "c")
    ]
    workers = [subprocess.Popen([sys.executable, "-c", text]) for text in texts]
    assert [worker.wait(60) for worker in workers] == [0, 0, 0]
    assert len(site.users()) == 30
    assert site.logins() == set(site.users())
    assert not (site.sample.state / "user_db_home" / "MiG-users.undo").exists()


def test_without_root_the_remedy_is_named(site: Site) -> None:
    os.seteuid(ACCOUNT + 1)
    try:
        with pytest.raises(PrivilegeError, match="run it as root: sudo mig"):
            reconcile(load(site.sample.conf), parse_entries([ADA]))
    finally:
        os.seteuid(0)


def test_the_site_itself_can_change_users_and_the_host_publishes_them(site: Site) -> None:
    site.apply(ADA)
    change = {"distinguished_name": ADA_ID, "public_keys": [KEY]}
    in_the_sites_account(lambda: site.apply(change, update_password=UpdatePassword.ALWAYS))
    assert site.users()["ada@example.org"].public_keys == (KEY,)
    assert site.keys() == set()
    assert (site.sample.state / "mig_system_run/users_changed").exists()
    site.sample.inside("publishusers")
    assert site.keys() == {"ada@example.org"}


def in_the_sites_account(act: Callable[[], object]) -> None:
    """Run this as the site's account, in a process that cannot become root again."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setgroups([])
            os.setgid(ACCOUNT)
            os.setuid(ACCOUNT)
            act()
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

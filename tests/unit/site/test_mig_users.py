"""The module mig_users, run by Ansible as in a play."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sample_site import SampleSite

from migrid.site.passwords import hash_password

PROJECT = Path(__file__).parents[3]
RESULT = re.compile(r"^localhost \| (\S+) => (\{.*?^\})", re.MULTILINE | re.DOTALL)
PASSWORD = "Grapefruit.7"
HASH = hash_password("Pomegranate.7")
ADA = {"full_name": "Ada Example", "email": "ada@example.org", "organization": "Test Org", "country": "DK"}
ADA_ID = "/C=DK/ST=NA/L=NA/O=Test Org/OU=NA/CN=Ada Example/emailAddress=ada@example.org"
BO = {"full_name": "Bo Example", "email": "bo@example.org", "alias": "bo"}


@dataclass
class Run:
    """What one task said."""

    output: str
    failed: bool
    result: dict[str, Any]

    @property
    def changes(self) -> list[tuple[str, str]]:
        return [(user["alias"], user["action"]) for user in self.result["users"]]


def mig_users(directory: Path, conf: Path, users: list[Any], *arguments: str, **options: Any) -> Run:
    variables = directory / "users.json"
    variables.write_text(json.dumps({"mig_users": users}), encoding="utf-8")
    task = {"users": "{{ mig_users }}", "conf": str(conf), **options}
    done = subprocess.run(
        [
            Path(sys.executable).parent / "ansible",
            "localhost",
            "--inventory=localhost,",
            "--connection=local",
            f"--extra-vars=@{variables}",
            f"--extra-vars=ansible_python_interpreter={sys.executable}",
            "--module-name=mig_users",
            f"--args={json.dumps(task)}",
            "-vvv",
            *arguments,
        ],
        cwd=PROJECT,
        env={**os.environ, "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    output = done.stdout + done.stderr
    found = RESULT.search(done.stdout)
    assert found, output
    for secret in (PASSWORD, HASH, HASH.rpartition("$")[2]):
        assert secret not in output
    return Run(output, found[1] == "FAILED!", json.loads(found[2]))


def contents(root: Path) -> dict[Path, bytes | None]:
    return {path: path.read_bytes() if path.is_file() else None for path in root.rglob("*")}


def test_users_from_nothing_to_no_change(sample_site: SampleSite, tmp_path: Path) -> None:
    users = [{**ADA, "password": PASSWORD, "expire": "2100-12-31"}, {**BO, "password_hash": HASH}]
    first = mig_users(tmp_path, sample_site.conf, users, "--diff")
    assert first.result["changed"]
    assert first.result["published"]
    assert first.result["users"][0]["client_id"] == ADA_ID
    assert first.changes == [("ada@example.org", "created"), ("bo", "created")]
    assert f"+client_id: {ADA_ID}\n" in first.output
    assert "+password: set\n" in first.output
    assert "+expire: 2100-12-31\n" in first.output
    assert (sample_site.state / "user_home" / "bo" / "welcome.txt").exists()
    assert "bo:" in (sample_site.accounts / "passwd").read_text(encoding="utf-8")
    second = mig_users(tmp_path, sample_site.conf, users, "--diff", update_password="always")
    assert not second.result["changed"]
    assert (second.result["users"], second.result["published"], second.result["diff"]) == ([], False, [])


def test_check_mode_with_a_diff(sample_site: SampleSite, tmp_path: Path) -> None:
    mig_users(tmp_path, sample_site.conf, [{**ADA, "password": "Before.123"}, BO])
    before = contents(sample_site.root)
    wanted = [{**ADA, "password": PASSWORD, "comment": "moved"}]
    said = mig_users(tmp_path, sample_site.conf, wanted, "--check", "--diff", update_password="always", purge=True)
    assert contents(sample_site.root) == before
    assert said.changes == [("ada@example.org", "changed"), ("bo", "removed")]
    assert said.result["users"][0]["fields"] == ["password", "comment"]
    assert {"+comment: moved", "-password: set", "+password: changed", "-alias: bo"} <= set(said.output.splitlines())
    done = mig_users(tmp_path, sample_site.conf, wanted, update_password="always", purge=True)
    assert done.changes == said.changes


def test_credentials_of_services_with_check_mode_and_a_diff(sample_site: SampleSite, tmp_path: Path) -> None:
    mig_users(tmp_path, sample_site.conf, [{**ADA, "password_hash": HASH}])
    before = contents(sample_site.root)
    services = {"sftp": {"password": PASSWORD}, "ftps": {"enabled": False}, "davs": {"password_hash": HASH}}
    wanted = [{**ADA, "services": services, "login_methods": ["migcert", "extoidc"]}]
    said = mig_users(tmp_path, sample_site.conf, wanted, "--check", "--diff", update_password="always")
    assert contents(sample_site.root) == before
    assert said.result["users"][0]["fields"] == ["login_methods", "services"]
    lines = {"-login methods: all", "+login methods: migcert, extoidc", "+ftps access: no", "+sftp password: changed"}
    assert lines <= set(said.output.splitlines())
    done = mig_users(tmp_path, sample_site.conf, wanted, update_password="always")
    assert (done.changes, done.result["published"]) == (said.changes, True)
    again = mig_users(tmp_path, sample_site.conf, wanted, update_password="always")
    assert not again.result["changed"]


def test_check_mode_before_there_is_a_site(tmp_path: Path) -> None:
    run = mig_users(tmp_path, tmp_path / "MiGserver.conf", [{**ADA, "password": PASSWORD}], "--check", "--diff")
    assert run.changes == [("ada@example.org", "created")]
    assert "+alias: ada@example.org\n" in run.output


def test_without_a_site_the_file_is_named(tmp_path: Path) -> None:
    run = mig_users(tmp_path, tmp_path / "MiGserver.conf", [{**ADA, "password": PASSWORD}])
    assert run.failed
    assert str(tmp_path / "MiGserver.conf") in run.result["msg"]


def test_bad_entries_are_all_named_and_nothing_changes(sample_site: SampleSite, tmp_path: Path) -> None:
    cy = {"full_name": "Cy Example", "email": "cy@example.org", "password": PASSWORD}
    users = [BO, {**ADA, "password": PASSWORD, "password_hash": HASH}, {**cy, "expire": "soon", "passwort": PASSWORD}]
    run = mig_users(tmp_path, sample_site.conf, users)
    assert run.failed
    assert run.result["msg"].splitlines() == [
        "mig_users[1] (Ada Example): field 'password_hash': excludes 'password'; give one of them",
        "mig_users[2] (Cy Example): field 'expire': 'soon' is not a date; write YYYY-MM-DD",
        "mig_users[2] (Cy Example): field 'passwort': is unknown; did you mean 'password'?",
    ]
    assert list((sample_site.state / "user_home").iterdir()) == []


def test_what_is_no_list_of_mappings_shows_no_secret(sample_site: SampleSite, tmp_path: Path) -> None:
    run = mig_users(tmp_path, sample_site.conf, [{**ADA, "password": PASSWORD, "password_hash": HASH}, 7])
    assert run.failed
    assert "users" in run.result["msg"]

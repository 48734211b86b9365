"""bin/site, as a newcomer runs it: what it says at its end is what a client finds."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).parents[2]


def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=1800, **options)


@pytest.fixture(scope="module")
def bare() -> None:
    """No host of the embedded site: what another checkout left is not what this one declares."""
    removed = run([str(PROJECT / ".venv/bin/ansible-playbook"), "molecule/default/destroy.yml"], cwd=PROJECT)
    assert removed.returncode == 0, removed.stdout[-3000:] + removed.stderr[-3000:]


@pytest.fixture(scope="module")
def said(bare: None) -> str:
    """What bin/site prints."""
    result = run([str(PROJECT / "bin/site")], cwd="/")
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
    return result.stdout


@pytest.fixture
def summary(said: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((PROJECT / "build/site.json").read_text())
    return content


@pytest.fixture
def sftp(summary: dict[str, Any], tmp_path: Path) -> list[str]:
    """The beginning of an sftp command that asks nothing but the password, and does not know the host yet."""
    known_hosts = [f"-oUserKnownHostsFile={tmp_path}/known_hosts", "-oStrictHostKeyChecking=accept-new"]
    port = summary["services"]["grid_sftp"]["port"]
    return ["sftp", "-oBatchMode=no", "-oIdentitiesOnly=yes", *known_hosts, "-P", str(port), "-b", "-"]


def test_the_end_says_how_to_log_in(said: str, summary: dict[str, Any]) -> None:
    user, service = summary["user"], summary["services"]["grid_sftp"]
    assert f"sftp -i {user['key_file']} -P {service['port']} {user['login']}@{service['host']}" in said
    assert user["password_file"] in said
    assert Path(user["password_file"]).read_text() not in said


def test_each_virtual_host_answers_with_a_certificate_of_the_site(summary: dict[str, Any]) -> None:
    ways = summary["virtual_hosts"]
    assert set(ways) == {"public", "sid", "mig_oidc", "mig_cert"}
    for way in (ways["public"], ways["sid"], ways["mig_oidc"]):
        place = f"{way['name']}:{way['port']}"
        trust = ["--cacert", summary["ca_file"], "--resolve", f"{place}:{way['address']}"]
        answer = run(["curl", "--silent", "--show-error", "--fail", "--location", *trust, f"https://{place}/"])
        assert answer.returncode == 0, answer.stderr
        assert summary["title"] in answer.stdout


def test_the_sample_user_logs_in_with_the_key(summary: dict[str, Any], sftp: list[str]) -> None:
    user, service = summary["user"], summary["services"]["grid_sftp"]
    answer = run([*sftp, "-i", user["key_file"], f"{user['login']}@{service['host']}"], input="ls\n")
    assert answer.returncode == 0, answer.stderr
    assert "welcome.txt" in answer.stdout


def test_the_sample_user_logs_in_with_the_password(summary: dict[str, Any], sftp: list[str], tmp_path: Path) -> None:
    user, service = summary["user"], summary["services"]["grid_sftp"]
    ask = tmp_path / "ask"
    ask.write_text(f"#!/bin/sh\ncat {user['password_file']}\n")
    ask.chmod(0o700)
    environment = os.environ | {"SSH_ASKPASS": str(ask), "SSH_ASKPASS_REQUIRE": "force"}
    only_password = ["-oPreferredAuthentications=password", f"{user['login']}@{service['host']}"]
    answer = run([*sftp, *only_password], input="ls\n", env=environment)
    assert answer.returncode == 0, answer.stderr
    assert "welcome.txt" in answer.stdout


def test_the_client_id_is_that_of_the_user(summary: dict[str, Any]) -> None:
    users = json.loads(run(["docker", "exec", "mig1", "mig", "users", "--json"]).stdout)
    assert summary["user"]["client_id"] in {user["client_id"] for user in users}


def test_the_example_application_moves_as_the_end_says(said: str, summary: dict[str, Any]) -> None:
    addresses = {grid["name"]: grid["address"] for grid in summary["grids"]}
    assert len(addresses) == 2
    assert re.search(r"migrate\.yml -e app=shop -e target_grid=grid-b$", said, re.MULTILINE)
    here = place_of_the_shop(addresses)
    there = next(name for name in addresses if name != here)
    command = [
        str(PROJECT / ".venv/bin/ansible-playbook"),
        "migrate.yml",
        "-e",
        "app=shop",
        "-e",
        f"target_grid={there}",
    ]
    moved = run(command, cwd=PROJECT)
    assert moved.returncode == 0, moved.stdout[-3000:] + moved.stderr[-3000:]
    [place] = re.findall(r"The report is in (build/moves/\S+\.json)", moved.stdout)
    report = json.loads((PROJECT / place).read_text())
    assert (report["result"], report["source_grid"], report["target_grid"]) == ("migrated", here, there)
    assert report["verified"]
    assert place_of_the_shop(addresses) == there
    for address in addresses.values():
        answer = run(["curl", "--silent", "--show-error", "--fail", f"http://{address}:8080/health"])
        assert answer.returncode == 0, answer.stderr


def place_of_the_shop(addresses: dict[str, str]) -> str:
    """The one grid where it runs."""
    listed = {name: run(["docker", "exec", name, "mig-grid", "list", "--json"]).stdout for name in addresses}
    places = [
        name for name, apps in listed.items() for app in json.loads(apps) if app["name"] == "shop" and app["running"]
    ]
    assert len(places) == 1, listed
    return places[0]


def test_a_second_run_changes_nothing(said: str) -> None:
    again = run([str(PROJECT / "bin/site")])
    assert again.returncode == 0, again.stderr
    assert re.findall(r"changed=(\d+)", again.stdout) == ["0", "0", "0"]

"""The host itself."""

from __future__ import annotations

import json
from typing import Any


def test_the_host_has_no_failed_unit(host: Any) -> None:
    failed = host.check_output("systemctl --failed --plain --no-legend")
    assert failed == ""


def test_the_daemons_start_with_the_host(host: Any) -> None:
    assert host.service("migrid.target").is_enabled
    for name in ("apache2", "grid_sftp", "grid_ftps", "grid_webdavs"):
        assert host.service(name).is_running, host.run(f"journalctl -u {name} | tail -30").stdout


def test_homes_are_tidied_each_day(host: Any) -> None:
    assert host.service("migrid-tidy.timer").is_running
    assert host.run("systemctl start migrid-tidy").rc == 0, host.run("journalctl -u migrid-tidy | tail").stdout


def test_the_machine_got_no_login_service_of_its_own(host: Any) -> None:
    assert not host.socket("tcp://0.0.0.0:22").is_listening
    assert not host.service("ssh").is_enabled
    assert not host.socket("tcp://0.0.0.0:21").is_listening
    assert not host.service("proftpd").is_enabled


def test_the_machine_does_not_know_the_users(host: Any) -> None:
    assert host.run("getent passwd ada@example.org").rc == 2


def test_checkconf_finds_nothing(host: Any) -> None:
    result = host.run("mig checkconf")
    assert result.rc == 0, result.stdout


def test_every_sample_user_is_there_once(host: Any, sample_users: dict[str, Any]) -> None:
    users = json.loads(host.check_output("mig users --json"))
    aliases = [user["alias"] for user in users]
    assert len(aliases) == len(set(aliases)) == 205
    assert len(sample_users["mig_users"]) == 200


def test_nobody_else_reads_what_is_secret(host: Any) -> None:
    assert host.file("/home/mig").mode == 0o700
    assert host.file("/home/mig/state/user_db_home/MiG-users.db").mode == 0o600
    readable = host.check_output(
        "find /etc/migrid /var/lib/migrid /opt/migrid -type f -perm -o+r "
        "-exec grep -lE -e '-----BEGIN [A-Z ]*PRIVATE KEY' -e '[$](y|6)[$][./0-9A-Za-z]{8}' {} + || true"
    )
    assert readable == ""
    writable = host.check_output("find /etc/migrid/ /var/lib/migrid /opt/migrid ! -type l -perm /o+w")
    assert writable == ""


def test_root_runs_nothing_that_the_site_can_write(host: Any) -> None:
    owned = host.check_output("find /opt/migrid /etc/migrid/ /var/lib/migrid -user mig")
    assert owned == ""


def test_no_password_is_in_the_logs(host: Any, sample_users: dict[str, Any]) -> None:
    log = host.check_output("journalctl --no-pager --output=cat")
    for user in sample_users["mig_users"]:
        for secret in (user.get("password"), user.get("password_hash")):
            assert not secret or secret not in log


def test_the_sandboxes_are_tight(host: Any) -> None:
    for unit, most in {
        "apache2": 4.0,
        "grid_sftp": 4.0,
        "grid_ftps": 4.0,
        "migrid-status": 2.5,
        "migrid-tidy": 2.5,
    }.items():
        report = json.loads(host.check_output(f"systemd-analyze security --json=short {unit}.service || true"))
        assert report
        overall = host.run(f"systemd-analyze security --no-pager {unit}.service").stdout.splitlines()[-1]
        exposure = float(overall.split(":")[1].split()[0])
        assert exposure <= most, overall

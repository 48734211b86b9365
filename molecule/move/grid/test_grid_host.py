"""The host of a grid, as playbooks/grids.yml leaves it."""

from __future__ import annotations

import json
from typing import Any

SSH = (
    "ssh -F none -i /var/lib/migrid/grid/ssh/id_ed25519 -o HostKeyAlias={name} -o StrictHostKeyChecking=yes"
    " -o UserKnownHostsFile=/var/lib/migrid/grid/ssh/known_hosts -o BatchMode=yes -p {ssh_port} {account}@{address}"
)


def peers(host: Any) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads(host.check_output("cat /etc/migrid/grid/grid.json"))["peers"]
    return found


def ask(host: Any, peer: dict[str, Any], words: str) -> Any:
    return host.run(f"{SSH.format(**peer)} {words} </dev/null")


def test_the_host_has_no_failed_unit(host: Any) -> None:
    assert host.check_output("systemctl --failed --plain --no-legend") == ""


def test_engine_and_guard_start_with_the_host(host: Any) -> None:
    for name in ("docker", "ssh", "mig_grid_guard"):
        assert host.service(name).is_running, host.run(f"journalctl -u {name} | tail -30").stdout
        assert host.service(name).is_enabled


def test_it_is_ready_for_moves(host: Any) -> None:
    answer = host.run("mig-grid check")
    assert answer.rc == 0, answer.stdout + answer.stderr


def test_the_gate_of_every_other_grid_answers(host: Any) -> None:
    assert len(peers(host)) == 3
    for peer in peers(host).values():
        answer = ask(host, peer, "verbs")
        assert (answer.rc, answer.stdout.split()[:1]) == (0, ["migrid-gate"]), answer.stderr


def test_the_gate_runs_no_command_and_gives_no_shell(host: Any) -> None:
    peer = next(iter(peers(host).values()))
    for words in ("id", "'verbs; id'", "'$(id)'", "", "sftp", "'trees ../../etc x'", "/usr/local/bin/mig-grid-gate"):
        answer = ask(host, peer, words)
        assert answer.rc != 0, words
        assert "uid=" not in answer.stdout + answer.stderr
    assert ask(host, {**peer, "account": "root"}, "id").rc == 255


def test_the_gate_forwards_nothing(host: Any) -> None:
    peer = next(iter(peers(host).values()))
    answer = host.run(
        f"timeout 20 {SSH.format(**peer)} -N -o ExitOnForwardFailure=yes -R 18080:localhost:22 </dev/null"
    )
    assert answer.rc == 255, answer.stderr


def test_another_host_key_is_refused(host: Any) -> None:
    one, other = list(peers(host).values())[:2]
    answer = ask(host, {**one, "name": other["name"]}, "verbs")
    assert answer.rc == 255
    assert "REMOTE HOST IDENTIFICATION HAS CHANGED" in answer.stderr


def test_an_owner_reaches_the_gate_for_owners_and_nothing_else(host: Any) -> None:
    keys = host.file("/etc/migrid/grid/authorized_keys").content_string
    assert 'restrict,command="sudo -n /usr/local/bin/mig-grid-owner ada" ssh-ed25519 ' in keys
    verbs = as_owner(host, "ada", "verbs", '{"verb": "facts", "arguments": {}}')
    assert (verbs.rc, verbs.stdout.splitlines()[0]) == (0, "migrid-gate 1"), verbs.stderr
    facts = json.loads(verbs.stdout.splitlines()[1])["result"]
    assert facts["free_bytes"] > 0
    assert set(facts["applications"]) <= {"shop"}
    for words in ("id", "", "trees shop 20300101T000000-0123abcd"):
        answer = as_owner(host, "ada", words, "")
        assert (answer.rc, answer.stdout) == (2, ""), words
    assert as_owner(host, "somebody", "verbs", "").rc == 1


def as_owner(host: Any, owner: str, words: str, line: str) -> Any:
    """What sshd runs for the key of an owner."""
    gate = f"runuser -u mig-grid -- env SSH_ORIGINAL_COMMAND='{words}' sudo -n /usr/local/bin/mig-grid-owner {owner}"
    return host.run(f"echo '{line}' | {gate}" if line else f"{gate} </dev/null")


def test_the_account_can_do_nothing_else(host: Any) -> None:
    account = host.user("mig-grid")
    assert account.groups == ["mig-grid"]
    assert host.check_output("getent shadow mig-grid").split(":")[1] == "*"
    sudo = host.run("runuser -u mig-grid -- sudo -n id")
    assert sudo.rc != 0
    other = host.run("runuser -u mig-grid -- sudo -n /usr/local/bin/mig-grid-gate somebody")
    assert other.rc != 0


def test_secrets_are_root_s_alone(host: Any) -> None:
    assert host.file("/var/lib/migrid/grid").mode == 0o700
    assert host.file("/etc/migrid/grid/grid.json").mode == 0o600
    assert host.file("/var/lib/migrid/grid/ssh/id_ed25519").mode == 0o600
    assert host.check_output("find /etc/migrid/ /var/lib/migrid /opt/migrid ! -type l -perm /o+w") == ""


def test_the_sandbox_of_the_guard_is_tight(host: Any) -> None:
    overall = host.run("systemd-analyze security --no-pager mig_grid_guard.service").stdout.splitlines()[-1]
    exposure = float(overall.split(":")[1].split()[0])
    assert exposure <= 3.0, overall


def test_volumes_are_where_the_scenario_puts_them(host: Any) -> None:
    expected = "btrfs" if host.ansible.get_variables()["scenario_volumes"] else "ext2/ext3"
    assert host.check_output("stat --file-system --format=%T /var/lib/docker/volumes") == expected

#!/usr/bin/env python3
"""How long mig_users takes for 1,000, 10,000 and 100,000 users, and for one more user when there are so many.

Ansible runs the module as in a play, in a temporary site on this machine. The limit is Ansible itself: in the same
run, the same list is given to a module that does nothing. The peer, MiG's createuser.py, makes 2.7 users a second,
and needs 20 s for one user when there are 100,000 (measured on a machine with two cores).

    sudo .venv/bin/python bench/users.py [--most 10000]
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from migrid.site.configuration import load
from migrid.site.reconcile import reconcile
from migrid.site.users import parse_entries

PROJECT = Path(__file__).parents[1]
PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")
ACCOUNT = 12345
PEER_USERS_PER_SECOND = 2.7
PEER_ONE_AT_100_000 = 20.0
GOAL_FIRST, GOAL_AGAIN, GOAL_ONE = 10.0, 3.0, 0.5
CONF = "[GLOBAL]\nserver_fqdn = bench.example.org\nstate_path = {root}/state\naccounts_home = {root}/accounts\n[SITE]\n"
NOTHING = """
from ansible.module_utils.basic import AnsibleModule
module = AnsibleModule({"users": {"type": "list", "elements": "dict", "no_log": True}})
module.no_log_values.clear()
module.exit_json(invocation={})
"""
PLAY = """
- hosts: localhost
  gather_facts: false
  tasks:
    - name: Measured
      %s
"""
DURATION = re.compile(r"^Measured -+ ([0-9.]+)s", re.MULTILINE)


@dataclass(frozen=True)
class Bench:
    """A temporary site, and a module that does nothing."""

    root: Path

    def build(self) -> None:
        self.root.chmod(0o755)
        for name in ("state", "state/user_home", "state/user_db_home"):
            (self.root / name).mkdir(mode=0o700)
            os.chown(self.root / name, ACCOUNT, ACCOUNT)
        (self.root / "accounts").mkdir()
        (self.root / "library").mkdir()
        (self.root / "library" / "nothing.py").write_text(NOTHING, encoding="utf-8")
        self.conf.write_text(CONF.format(root=self.root), encoding="utf-8")

    @property
    def conf(self) -> Path:
        return self.root / "MiGserver.conf"

    def task(self, module: str, users: list[dict[str, str]]) -> float:
        """Wall time in seconds of one task of a play, as Ansible's own profile has it."""
        options = "{users: '{{ users }}'%s}" % (f", conf: {self.conf}" if module == "mig_users" else "")
        play, variables = self.root / "play.yml", self.root / "users.json"
        play.write_text(PLAY % f"{module}: {options}", encoding="utf-8")
        variables.write_text(json.dumps({"users": users}), encoding="utf-8")
        command = [PLAYBOOK, "-i", "localhost,", "-c", "local", play, "-e", f"@{variables}"]
        environment = {
            **os.environ,
            "ANSIBLE_CALLBACKS_ENABLED": "ansible.posix.profile_tasks",
            "ANSIBLE_LIBRARY": f"{PROJECT / 'library'}:{self.root / 'library'}",
        }
        result = subprocess.run(
            [*command, "-e", f"ansible_python_interpreter={sys.executable}"],
            cwd=PROJECT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        found = DURATION.search(result.stdout)
        if result.returncode or not found:
            sys.exit(f"{module} failed:\n{result.stdout[-3000:]}{result.stderr[-3000:]}")
        return float(found[1])

    def inside(self, users: list[dict[str, str]]) -> float:
        """Wall time in seconds of what the module does, without Ansible."""
        started = time.perf_counter()
        reconcile(load(self.conf), parse_entries(users))
        return time.perf_counter() - started


def people(count: int, prefix: str = "ada") -> list[dict[str, str]]:
    """Users with password hashes, none like another."""
    return [
        {
            "full_name": f"Ada Example {number}",
            "email": f"{prefix}{number}@example.org",
            "organization": "Test Org",
            "country": "DK",
            "password_hash": f"$6$benchmark${number:086d}",
        }
        for number in range(count)
    ]


def measure(count: int) -> None:
    """Print one row of the table."""
    with tempfile.TemporaryDirectory(prefix="mig-bench-") as directory:
        bench = Bench(Path(directory))
        bench.build()
        users = people(count)
        nothing = bench.task("nothing", users)
        first = bench.task("mig_users", users)
        again = bench.task("mig_users", users)
        one = bench.inside(people(1, "bo"))
    print(
        f"{count:>8,} {first:>9.2f} {again:>9.2f} {nothing:>9.2f} {again / nothing:>9.2f} "
        f"{first / count * 1000:>13.3f} {again / count * 1000:>13.3f} {one:>9.3f}",
        flush=True,
    )
    if count == 10_000:
        print(f"         goal {GOAL_FIRST:>4} {GOAL_AGAIN:>9}", end="")
        print(f"    the peer: {count / PEER_USERS_PER_SECOND:,.0f} s for the first run")
    if count == 100_000:
        print(f"         goal for one more: {GOAL_ONE} s; the peer: {PEER_ONE_AT_100_000} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=100_000, help="the highest number of users (default: %(default)s)")
    most = parser.parse_args().most
    if os.geteuid() != 0:
        sys.exit("bench/users.py needs root, as the module does: sudo .venv/bin/python bench/users.py")
    print("Seconds of one task, whole; 'nothing' is the module that does nothing.")
    print("   users     first     again   nothing     ratio first/1,000   again/1,000  one more")
    for count in (1_000, 10_000, 100_000):
        if count <= most:
            measure(count)


if __name__ == "__main__":
    main()

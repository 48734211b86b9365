#!/usr/bin/env python3
"""How long site.yml takes for one host, against the bare installation of the same packages.

The peer and the limit is apt-get: on an identical container, in the same run, it updates its lists and installs
exactly the packages that the site asks for. The second figure is a run of site.yml that has nothing to change.

    .venv/bin/python bench/site.py [--runs N]

Needs what "bin/site" sets up: the engine, the base image, the virtual environment, the sample user.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from pathlib import Path

PROJECT = Path(__file__).parents[1]
PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")
HOSTS = ("bench-site", "bench-bare")
INVENTORY = """
all:
  children:
    system_containers:
      hosts:
        bench-site: {system_container_address: 172.30.77.201}
        bench-bare: {system_container_address: 172.30.77.202}
      vars:
        system_container_etc_hosts:
          www.mig.test: 172.30.77.201
          sid.mig.test: 172.30.77.201
          io.mig.test: 172.30.77.201
    mig_site:
      children:
        mig_web: {hosts: {bench-site: }}
        mig_access: {hosts: {bench-site: }}
        mig_jobs: {hosts: {bench-site: }}
      vars:
        mig_summary_file: "{{ inventory_dir }}/site.json"
"""
MAKE_HOSTS = """
- hosts: system_containers
  gather_facts: false
  roles: [system_container]
"""
GOAL_RATIO = 1.8
GOAL_SECOND_RUN = 12.0


def timed(command: list[str | Path]) -> float:
    """Wall time in seconds of a command, which must succeed."""
    started = time.monotonic()
    result = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    if result.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{result.stdout[-3000:]}{result.stderr[-3000:]}")
    return time.monotonic() - started


def make_inventory() -> Path:
    """An inventory like the embedded one, with the two hosts in place of its own."""
    inventory = PROJECT / "build" / "bench"
    inventory.mkdir(parents=True, exist_ok=True)
    (inventory / "hosts.yml").write_text(INVENTORY)
    group_vars = inventory / "group_vars"
    group_vars.unlink(missing_ok=True)
    group_vars.symlink_to(PROJECT / "inventories" / "embedded" / "group_vars")
    return inventory


def remove_hosts() -> None:
    subprocess.run(["docker", "rm", "--force", "--volumes", *HOSTS], capture_output=True, check=False)


def bare_installation() -> list[str | Path]:
    """The command that installs on the bare host exactly what the site's host got."""
    record = ["docker", "exec", "bench-site", "sh", "-c", "cat /var/lib/migrid/packages/*"]
    packages = subprocess.run(record, capture_output=True, text=True, check=True).stdout.split()
    install = f"apt-get update && apt-get install --yes --no-install-recommends {' '.join(packages)}"
    return ["docker", "exec", "--env", "DEBIAN_FRONTEND=noninteractive", "bench-bare", "sh", "-c", install]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=3, help="pairs of fresh hosts to measure (3)")
    runs = parser.parse_args().runs
    ratios, seconds = [], []
    inventory = make_inventory()
    make_hosts = inventory / "make.yml"
    make_hosts.write_text(MAKE_HOSTS)
    try:
        for number in range(runs):
            remove_hosts()
            timed([PLAYBOOK, "-i", inventory / "hosts.yml", make_hosts])
            site = timed([PLAYBOOK, "-i", inventory / "hosts.yml", "--limit", "bench-site", "site.yml"])
            again = timed([PLAYBOOK, "-i", inventory / "hosts.yml", "--limit", "bench-site", "site.yml"])
            bare = timed(bare_installation())
            ratios.append(site / bare)
            seconds.append(again)
            print(
                f"run {number + 1}: site.yml {site:.1f} s, apt-get {bare:.1f} s, ratio {site / bare:.2f}; "
                f"second run {again:.1f} s",
                flush=True,
            )
    finally:
        remove_hosts()
    print(f"site.yml / apt-get: median {statistics.median(ratios):.2f} (goal < {GOAL_RATIO})")
    print(f"second run: median {statistics.median(seconds):.1f} s (goal < {GOAL_SECOND_RUN})")


if __name__ == "__main__":
    main()

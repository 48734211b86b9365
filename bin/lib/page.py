"""Print how to reach the site that a summary file (build/site.json) describes."""

import json
import sys
from pathlib import Path
from typing import Any

Summary = dict[str, Any]


def host_names(summary: Summary) -> dict[str, set[str]]:
    """The names of the site that each address answers to, as lines of /etc/hosts need them."""
    names: dict[str, set[str]] = {}
    for virtual_host in summary["virtual_hosts"].values():
        names.setdefault(virtual_host["address"], set()).add(virtual_host["name"])
    for service in summary["services"].values():
        names.setdefault(service["host"], set()).add(service["name"])
    return names


def addresses(summary: Summary) -> list[str]:
    hosts = [f"host {name}: {host['address']}" for name, host in summary["hosts"].items()]
    ways_in = [f"{key}: https://{way['name']}:{way['port']}/" for key, way in summary["virtual_hosts"].items()]
    services = [f"{key}: {service['name']} port {service['port']}" for key, service in summary["services"].items()]
    grids = [f"grid {grid['name']}: {grid['address']}" for grid in summary["grids"]]
    return hosts + ways_in + services + grids


def name_lines(summary: Summary) -> list[str]:
    return [f"{address} {' '.join(sorted(names))}" for address, names in host_names(summary).items()]


def trust(summary: Summary) -> list[str]:
    certificate = summary["ca_file"]
    return [
        f"curl --cacert {certificate} {summary['public_url']}",
        f"cp {certificate} /usr/local/share/ca-certificates/migrid.crt && update-ca-certificates",
    ]


def move(summary: Summary) -> list[str]:
    """How an application gets to another grid."""
    grids = [grid["name"] for grid in summary["grids"]]
    return [
        f".venv/bin/ansible-playbook migrate.yml -e app={app} -e target_grid={other}"
        for grid in summary["grids"]
        for app in grid["applications"][:1]
        for other in [name for name in grids if name != grid["name"]][:1]
    ][:1]


def login(summary: Summary) -> list[str]:
    user = summary["user"]
    sftp = summary["services"].get("grid_sftp")
    if not user or not sftp:
        return []
    return [
        f"sftp -i {user['key_file']} -P {sftp['port']} {user['login']}@{sftp['host']}",
        f"or with the password in {user['password_file']}",
    ]


def page(summary: Summary) -> str:
    """The whole page: paragraphs with a heading each; a paragraph without lines is left out."""
    paragraphs = {
        f"{summary['title']} is ready.": addresses(summary),
        "To use the names, add to /etc/hosts:": name_lines(summary),
        "To trust the site's certificates:": trust(summary) if Path(summary["ca_file"]).exists() else [],
        "To log in as the sample user:": login(summary),
        "To move an application to another grid, while it runs:": move(summary),
    }
    return "\n\n".join(
        "\n".join([heading, *(f"    {line}" for line in lines)]) for heading, lines in paragraphs.items() if lines
    )


if __name__ == "__main__":
    print("\n" + page(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))

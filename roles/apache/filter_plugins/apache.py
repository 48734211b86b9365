# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters of the role: complete virtual hosts, and safe arguments for Apache."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

KINDS = ("application", "directory", "proxy", "redirect", "refuse")
MODULE = re.compile(r"[a-z_]\w*(\.[a-z_]\w*)*")
VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")
HOST_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
PATH = re.compile(r"(/[\w.+@=~-]+)+")


def quoted(text: str) -> str:
    """``text`` as one argument of a directive. An argument cannot hold a control character or name a variable."""
    if re.search(r"[\x00-\x1f\x7f]", text) or "${" in text:
        raise AnsibleFilterError(f"{text!r} cannot be written to Apache's configuration; remove line breaks and '${{'")
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def header(text: str) -> str:
    """``text`` as the value of the directive Header, where ``%`` begins a format."""
    return quoted(text.replace("%", "%%"))


def complete(hosts: Sequence[Mapping[str, Any]], defaults: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The virtual hosts with every field filled in, without those that have no name.

    ``defaults`` holds ``http_port``, ``certificates`` (their directory), ``certificate_files`` (as the variable
    apache_certificate_files), ``one_certificate`` (whether there is one for all), ``document_root`` and
    ``content_security_policy``.
    A contradiction between two virtual hosts, or in one, is an error that names both sides.
    """
    completed = [_complete_host(host, defaults) for host in hosts if host["fqdn"]]
    names = [host["name"] for host in completed]
    _refuse_twice("name", names)
    _refuse_bad_files(defaults["certificate_files"], [host["certificate_name"] for host in completed])
    _refuse_twice(
        "host name and port",
        [f"{name}:{host['port']}" for host in completed for name in [host["fqdn"], *host["aliases"]]],
    )
    for host in completed:
        if host["port"] == int(defaults["http_port"]):
            raise AnsibleFilterError(
                f"virtual host {host['name']}: port {host['port']} is mig_public_http_port; give HTTPS another one"
            )
    return completed


def _complete_host(host: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", host["name"]) or host["name"] == "ca":
        raise AnsibleFilterError(
            f"virtual host {host['name']!r}: a name has small letters, digits, '-' and '_', and is not 'ca'"
        )
    for fqdn in [host["fqdn"], *host.get("aliases", [])]:
        if not HOST_NAME.fullmatch(fqdn):
            raise AnsibleFilterError(f"virtual host {host['name']}: {fqdn!r} is not a host name in small letters")
    port = int(host.get("port", 443))
    certificate_name = defaults["one_certificate"] or host["name"]
    base = f"{defaults['certificates']}/{certificate_name}"
    files = defaults["certificate_files"].get(certificate_name)
    fields = {
        **(files or {"certificate": f"{base}.crt", "key": f"{base}.key"}),
        "document_root": defaults["document_root"],
        "content_security_policy": defaults["content_security_policy"],
        "aliases": [],
        "directives": [],
        "environment": {},
        **host,
    }
    _refuse_bad_environment(fields)
    locations = [_complete_location(host["name"], location) for location in host.get("locations", [])]
    return fields | {
        "port": port,
        "url": f"https://{host['fqdn']}" + ("" if port == 443 else f":{port}"),
        "certificate_name": certificate_name,
        "has_certificate_files": files is not None,
        "locations": sorted(locations, key=lambda location: -len(location["path"])),
    }


def _complete_location(name: str, location: Mapping[str, Any]) -> dict[str, Any]:
    kinds = [kind for kind in KINDS if kind in location]
    where = f"virtual host {name}, location {location['path']}"
    if len(kinds) != 1:
        raise AnsibleFilterError(f"{where}: give one of {', '.join(KINDS)}, not {' and '.join(kinds) or 'none'}")
    if kinds[0] == "directory" and not location["path"].endswith("/"):
        raise AnsibleFilterError(f"{where}: the path of a directory ends with '/'")
    if kinds[0] == "directory" and not PATH.fullmatch(location["directory"]):
        raise AnsibleFilterError(f"{where}: directory {location['directory']!r} is not an absolute path without spaces")
    if kinds[0] == "application" and not MODULE.fullmatch(location["application"]):
        raise AnsibleFilterError(f"{where}: application {location['application']!r} is not the name of a Python module")
    for header_name in location.get("headers", {}):
        if not re.fullmatch(r"[A-Za-z0-9-]+", header_name):
            raise AnsibleFilterError(f"{where}: {header_name!r} is not the name of a header")
    return {"headers": {}, "directives": [], **location, "kind": kinds[0]}


def _refuse_bad_environment(host: Mapping[str, Any]) -> None:
    for name in host["environment"]:
        if not VARIABLE.fullmatch(name):
            raise AnsibleFilterError(f"virtual host {host['name']}: {name!r} is not a variable in capital letters")


def _refuse_bad_files(files: Mapping[str, Mapping[str, str]], names: Sequence[str]) -> None:
    known = ", ".join(dict.fromkeys(names))
    for name, pair in files.items():
        if name not in names:
            raise AnsibleFilterError(
                f"apache_certificate_files: {name!r} is no certificate of the site; they are {known}"
            )
        if set(pair) != {"certificate", "key"}:
            raise AnsibleFilterError(f"apache_certificate_files, {name}: give certificate and key, and nothing else")


def _refuse_twice(what: str, values: Sequence[str]) -> None:
    twice = [value for value, count in Counter(values).items() if count > 1]
    if twice:
        raise AnsibleFilterError(f"two virtual hosts have the same {what}: {', '.join(twice)}")


def certificates(hosts: Sequence[Mapping[str, Any]], given: Mapping[str, Mapping[str, str]]) -> list[dict[str, Any]]:
    """What the module site_certificates makes: one entry for each certificate whose files are not named."""
    names: dict[str, list[str]] = {}
    for host in hosts:
        if not host["has_certificate_files"]:
            names.setdefault(host["certificate_name"], []).extend([host["fqdn"], *host["aliases"]])
    return [{"name": name, "names": list(dict.fromkeys(of)), **given.get(name, {})} for name, of in names.items()]


class FilterModule:
    """What Ansible asks for."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "apache_quoted": quoted,
            "apache_header": header,
            "apache_complete": complete,
            "apache_certificates": certificates,
        }

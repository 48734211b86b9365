"""What can be wrong with the variables of an inventory, found before any host is changed.

:func:`problems` looks at the variables of one host as a whole and reports everything that it finds. The types and the
choices come from the roles' argument specs; what a type cannot say (that a port lies between 1 and 65535, that two
services do not claim one port, that a certificate covers its name) is said here.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from ..site import values as kinds
from ..site.errors import EntriesError
from ..site.users import parse_entries
from ..site.values import WrongValueError
from . import grids
from .certificates import authority_complaint, certificate_problems
from .options import option_of, options, variable_name

PREFIXES = (
    *("mig_", "migserver_", "apache_", "sftp_", "ftps_", "webdavs_", "openid_"),
    *("system_container_", "grid_", "migctl_appliance_"),
)

VIRTUAL_HOSTS = {
    "public": ("mig_public_fqdn", "mig_public_https_port"),
    "public_sec": ("mig_public_sec_fqdn", "mig_public_https_port"),
    "status": ("mig_status_alias_fqdn", "mig_public_https_port"),
    "sid": ("mig_sid_fqdn", "mig_sid_port"),
    "mig_cert": ("mig_cert_fqdn", "mig_cert_port"),
    "ext_cert": ("mig_ext_cert_fqdn", "mig_ext_cert_port"),
    "mig_oidc": ("mig_oidc_fqdn", "mig_oidc_port"),
    "ext_oidc": ("mig_ext_oidc_fqdn", "mig_ext_oidc_port"),
}
"""The variables for name and port of each virtual host of a site; it is there when the name is not empty."""

PUBLIC_ALIAS = ("mig_public_alias_fqdn", "mig_public_https_port")

METHODS = {
    "migcert": "mig_cert_fqdn",
    "extcert": "mig_ext_cert_fqdn",
    "migoidc": "mig_oidc_fqdn",
    "extoidc": "mig_ext_oidc_fqdn",
}
"""The variable for the virtual host of each login method."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: the variable, and what to do about it in words that name the value."""

    variable: str
    message: str

    def __str__(self) -> str:
        return f"{self.variable}: {self.message}"


def grid_problems(
    host: str, places: Mapping[str, grids.Place], variables: Mapping[str, Mapping[str, Any]]
) -> list[Problem]:
    """Everything wrong with the grid on ``host`` among all grids of the inventory, by their places and variables."""
    found = *grids.place_problems(host, places), *grids.appliance_problems(host, variables)
    return [Problem(variable, message) for variable, message in found]


def problems(values: Mapping[str, Any], known: Collection[str]) -> list[Problem]:
    """Everything wrong with ``values``, the variables of one host after their types were checked.

    ``known`` are the names of all options of all roles. A variable whose value is not of its type is left out of
    ``values`` by the caller, who has reported it.
    """
    return [
        *_unknown(values, known),
        *_not_yet(values),
        *_malformed(values),
        *_listen_addresses(values),
        *_contradictions(values),
    ]


def _unknown(values: Mapping[str, Any], known: Collection[str]) -> Iterator[Problem]:
    for name in sorted(values):
        if not name.startswith(PREFIXES) or name in known:
            continue
        option = option_of(name)
        if option is None:
            close = difflib.get_close_matches(name, known, n=1, cutoff=0.75)
            hint = f"did you mean {close[0]}?" if close else "docs/reference lists all variables; remove or rename it"
            yield Problem(name, f"no role has a variable of this name; {hint}")
        elif message := _ended(option):
            yield Problem(name, message)


def _ended(option: str) -> str:
    """Why an option of MiG's configuration generator is no variable any more; empty: it is accepted."""
    table = options()
    if option in table.successor:
        return f"this variable is called {variable_name(table.present(option))} here; rename it"
    if option in table.not_needed:
        return f"nothing has to be said of this any more: {table.not_needed[option]}; remove it"
    return table.decide.get(option, "")


def _not_yet(values: Mapping[str, Any]) -> Iterator[Problem]:
    for option, (off, part) in options().not_yet.items():
        name = variable_name(option)
        if name in values and not options().not_yet[option].is_off(values[name]):
            yield Problem(name, f"{values[name]!r} asks for what is not there yet: {part}; write {off!r} or remove it")


def _account(value: str) -> str:
    """The name of an account or a group of its own for the daemons."""
    if value == "root":
        raise WrongValueError("would give the daemons all power over the host", "write an account such as mig")
    if not kinds.LOCAL_ACCOUNT.fullmatch(value):
        raise WrongValueError("is not an account name", "write up to 32 lower-case letters, digits, _ and -")
    return value


def _plain_directory(value: str) -> Path:
    """An absolute path that needs no quoting in any configuration file."""
    if not re.fullmatch(r"(/[A-Za-z0-9._+-]+)+", value):
        raise WrongValueError("is not a plain path", "write one such as /srv/mig, of letters, digits and . _ + -")
    return kinds.directory(value)


def _seen_file(value: str) -> Path:
    """A file that a daemon sees, whose sandbox hides the homes of the host."""
    path = _plain_directory(value)
    if path.is_relative_to("/home") or path.is_relative_to("/root"):
        raise WrongValueError("is below a directory that daemons do not see", "write a file elsewhere, such as in /etc")
    return path


def _page(value: str) -> str:
    """The address of a page of another site, by name or by number."""
    if not re.fullmatch(r"https?://[\w.:\[\]-]+(/[!-~]*)?", value, re.ASCII):
        raise WrongValueError("is not the address of a page", "write one such as https://id.example.org/authorize")
    return value


def _title(value: str) -> str:
    """A name that is shown on pages."""
    if not value.strip() or not value.isprintable() or len(value) > 200:
        raise WrongValueError("is not a title", "write one line of 1 to 200 printable characters")
    return value


def _ip_address(value: str) -> str:
    """An address that a service listens on."""
    try:
        return str(ip_address(value))
    except ValueError:
        raise WrongValueError("is not an address", "write one such as 192.0.2.1 or 2001:db8::1") from None


def _umask(value: str) -> str:
    """Permissions as sshd's internal SFTP server takes them away; sshd itself does not check this."""
    if not re.fullmatch(r"0?[0-7]{3}", value):
        raise WrongValueError("is not an octal mask", "write one such as 0077, in quotes")
    return value


def _startups(value: str) -> str:
    """MaxStartups of sshd_config(5)."""
    match = re.fullmatch(r"(\d{1,5}):(\d{1,3}):(\d{1,5})", value)
    if not match or not 1 <= int(match[2]) <= 100 or int(match[1]) > int(match[3]):
        raise WrongValueError("is not start:rate:full", "write one such as 100:30:1000, the rate in percent")
    return value


def _port_or_none(value: str) -> int:
    return 0 if value == "0" else kinds.port(value)


def _count(value: str) -> int:
    if int(value) < 1:
        raise WrongValueError("is too small", "write 1 or more")
    return int(value)


_KINDS: dict[str, Callable[[str], object]] = {
    "mig_user": _account,
    "mig_group": _account,
    "mig_home": _plain_directory,
    "mig_code": _plain_directory,
    "mig_state": _plain_directory,
    "mig_certs": _plain_directory,
    "mig_title": _title,
    "mig_short_title": _title,
    "mig_support_email": kinds.optional(kinds.mail_addresses),
    "mig_admin_email": kinds.optional(kinds.mail_addresses),
    "mig_base_fqdn": kinds.host_name,
    "mig_public_fqdn": kinds.host_name,
    "mig_sid_fqdn": kinds.host_name,
    "mig_io_fqdn": kinds.optional(kinds.host_name),
    "mig_public_alias_fqdn": kinds.optional(kinds.host_name),
    "mig_public_sec_fqdn": kinds.optional(kinds.host_name),
    "mig_status_alias_fqdn": kinds.optional(kinds.host_name),
    "mig_ext_cert_fqdn": kinds.optional(kinds.host_name),
    "mig_ext_oidc_fqdn": kinds.optional(kinds.host_name),
    "mig_cert_fqdn": kinds.optional(kinds.host_name),
    "mig_oidc_fqdn": kinds.optional(kinds.host_name),
    "mig_public_http_port": kinds.port,
    "mig_public_https_port": kinds.port,
    "mig_sid_port": kinds.port,
    "mig_cert_port": kinds.port,
    "mig_ext_cert_port": kinds.port,
    "mig_ext_oidc_port": kinds.port,
    "mig_ext_oidc_title": _title,
    "mig_ext_oidc_provider_meta_url": kinds.optional(_page),
    "mig_ext_oidc_provider_authorization_endpoint": kinds.optional(_page),
    "mig_ext_oidc_provider_token_endpoint": kinds.optional(_page),
    "mig_ext_oidc_provider_user_info_endpoint": kinds.optional(_page),
    "mig_external_doc": kinds.optional(_page),
    "mig_datasafety_text": kinds.optional(_title),
    "mig_datasafety_link": kinds.optional(_page),
    "mig_oidc_port": kinds.port,
    "mig_openid_session_lifetime": _count,
    "mig_wsgi_procs": _count,
    "mig_oidc_secrets": _plain_directory,
    "mig_web_user": kinds.optional(_account),
    "apache_openid_sessions": _count,
    "openid_threads": _count,
    "mig_sftp_port": kinds.port,
    "mig_sftp_subsys_port": kinds.port,
    "mig_ftps_address": kinds.optional(_ip_address),
    "mig_ftps_ctrl_port": kinds.port,
    "mig_sftp_show_port": kinds.optional(kinds.port),
    "mig_sftp_subsys_show_port": kinds.optional(kinds.port),
    "mig_ftps_ctrl_show_port": kinds.optional(kinds.port),
    "mig_ftps_pasv_ports": kinds.port_range,
    "mig_davs_address": kinds.optional(_ip_address),
    "mig_davs_port": kinds.port,
    "mig_davs_show_port": kinds.optional(kinds.port),
    "mig_password_policy": kinds.password_policy,
    "migserver_status_interval": _count,
    "migserver_trash_days": _count,
    "migserver_auth_log_weeks": _count,
    "migserver_inotify_max_user_watches": _count,
    "migserver_inotify_max_user_instances": _count,
    "sftp_umask": _umask,
    "sftp_max_startups": _startups,
    "sftp_max_auth_tries": _count,
    "sftp_max_sessions": _count,
    "sftp_login_grace_time": _count,
    "sftp_per_source_max_startups": _count,
    "ftps_implicit_port": _port_or_none,
    "ftps_certificate_file": kinds.optional(_seen_file),
    "ftps_certificate_key_file": kinds.optional(_seen_file),
    "ftps_public_address": kinds.optional(kinds.address),
    "ftps_umask": _umask,
    "ftps_max_login_attempts": _count,
    "ftps_login_timeout": _count,
    "ftps_max_connections": _count,
    "ftps_max_connections_per_host": _count,
    "ftps_idle_timeout": _count,
    "webdavs_certificate_file": kinds.optional(_seen_file),
    "webdavs_certificate_key_file": kinds.optional(_seen_file),
    "webdavs_processes": _count,
    "webdavs_threads": _count,
    "webdavs_timeout": _count,
    "grid_address": kinds.address,
    "grid_ssh_port": kinds.port,
    "grid_monitor_ports": kinds.port_range,
}


def _malformed(values: Mapping[str, Any]) -> Iterator[Problem]:
    for name in _KINDS.keys() & values.keys():
        try:
            _KINDS[name](str(values[name]))
        except WrongValueError as error:
            yield Problem(name, f"{values[name]!r} {error}")


def _listen_addresses(values: Mapping[str, Any]) -> Iterator[Problem]:
    for address in values.get("sftp_listen_addresses", []):
        try:
            _ip_address(address)
        except WrongValueError as error:
            yield Problem("sftp_listen_addresses", f"{address!r} {error}")


def _contradictions(values: Mapping[str, Any]) -> Iterator[Problem]:
    for check in _CONTRADICTIONS:
        yield from check(values)


def _virtual_hosts(values: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """The variables for name and port of each virtual host that the site has, by the name of the virtual host."""
    return {name: pair for name, pair in VIRTUAL_HOSTS.items() if values.get(pair[0])}


def _ports(values: Mapping[str, Any]) -> Iterator[tuple[str, str, int]]:
    """The (service, variable, port) of everything that listens."""
    names = [("HTTP", "mig_public_http_port"), *(("HTTPS", port) for _, port in _virtual_hosts(values).values())]
    if values.get("mig_enable_sftp"):
        names.append(("SFTP", "mig_sftp_port"))
    if values.get("mig_enable_sftp_subsys"):
        names.append(("SFTP subsystem", "mig_sftp_subsys_port"))
    if values.get("mig_enable_ftps"):
        names += [("FTPS", "mig_ftps_ctrl_port"), ("implicit FTPS", "ftps_implicit_port")]
    if values.get("mig_enable_davs"):
        names.append(("WebDAV", "mig_davs_port"))
    for service, name in names:
        if values.get(name):
            yield service, name, values[name]


def _shared_ports(values: Mapping[str, Any]) -> Iterator[Problem]:
    taken: dict[int, tuple[str, str]] = {}
    for service, name, port in _ports(values):
        other_service, other = taken.setdefault(port, (service, name))
        if other_service != service:
            yield Problem(name, f"{port} is the port of {other} ({other_service}) too; give each service its own")
    if values.get("mig_enable_ftps"):
        yield from _taken_data_ports(values)


def _taken_data_ports(values: Mapping[str, Any]) -> Iterator[Problem]:
    try:
        first, last = kinds.port_range(values["mig_ftps_pasv_ports"])
    except (KeyError, WrongValueError):
        return
    for service, name, port in _ports(values):
        if first <= port <= last:
            message = f"{port} is among mig_ftps_pasv_ports ({first}:{last}), the data connections of FTPS, too"
            yield Problem(name, f"{message}; give {service} another one")


def _missing_access_name(values: Mapping[str, Any]) -> Iterator[Problem]:
    for switch in ("mig_enable_sftp", "mig_enable_sftp_subsys", "mig_enable_ftps", "mig_enable_davs"):
        if values.get(switch) and not values.get("mig_io_fqdn"):
            yield Problem("mig_io_fqdn", f"is missing though {switch} is true; give the name that users connect to")
            return


def _same_virtual_host(values: Mapping[str, Any]) -> Iterator[Problem]:
    taken: dict[tuple[Any, Any], tuple[str, str]] = {}
    pairs = [pair for pair in (*VIRTUAL_HOSTS.values(), PUBLIC_ALIAS) if values.get(pair[0])]
    for name, port in pairs:
        place = (values[name], values.get(port))
        other_name, other_port = taken.setdefault(place, (name, port))
        if other_name != name:
            yield Problem(
                name,
                f"{place[0]!r} with port {place[1]} is {other_name} with {other_port} too; "
                "two virtual hosts need different names, or different ports",
            )


def _certificate_without_its_key(values: Mapping[str, Any]) -> Iterator[Problem]:
    for service in ("ftps", "webdavs"):
        names = (f"{service}_certificate_file", f"{service}_certificate_key_file")
        for name, other in (names, names[::-1]):
            if values.get(other) and not values.get(name):
                yield Problem(name, f"is missing though {other} is given; a certificate and its key belong together")


def _login_without_its_provider(values: Mapping[str, Any]) -> Iterator[Problem]:
    switch, name = values.get("mig_enable_openid"), values.get("mig_oidc_fqdn")
    if switch and not name:
        yield Problem("mig_oidc_fqdn", "is missing though mig_enable_openid is true; give the name of the virtual host")
    if name and not switch:
        yield Problem("mig_oidc_fqdn", f"{name!r} has no provider; set mig_enable_openid to true, or remove it")


def _method_without_its_virtual_host(values: Mapping[str, Any]) -> Iterator[Problem]:
    for method in values.get("mig_login_methods", []):
        name = METHODS[method]
        if not values.get(name):
            yield Problem("mig_login_methods", f"{method!r} has no virtual host; give {name}, or remove the method")


def _others_who_vouch(values: Mapping[str, Any]) -> Iterator[Problem]:
    """What is missing to believe another authority or provider."""
    authority, name = values.get("apache_ext_cert_authority"), "apache_ext_cert_authority"
    if values.get("mig_ext_cert_fqdn") and not authority:
        yield Problem(name, "is missing though mig_ext_cert_fqdn is given; give the certificates of the authority")
    elif authority and (complaint := authority_complaint(authority)):
        yield Problem(name, complaint)
    if not values.get("mig_ext_oidc_fqdn"):
        return
    if not values.get("mig_ext_oidc_client_id"):
        yield Problem("mig_ext_oidc_client_id", "is missing; give the name that the provider knows the site by")
    described = ("mig_ext_oidc_provider_issuer", "mig_ext_oidc_provider_authorization_endpoint")
    if not values.get("mig_ext_oidc_provider_meta_url") and not all(map(values.get, described)):
        yield Problem(
            "mig_ext_oidc_provider_meta_url",
            f"is missing though mig_ext_oidc_fqdn is given; give it, or {' and '.join(described)}",
        )


def _stray_state(values: Mapping[str, Any]) -> Iterator[Problem]:
    home, state = values.get("mig_home"), values.get("mig_state")
    if home and state and not state.startswith(f"{home}/"):
        yield Problem("mig_state", f"{state!r} is not below mig_home ({home!r}); give a directory there")


def _grid(values: Mapping[str, Any]) -> Iterator[Problem]:
    for variable, message in grids.variable_problems(values):
        yield Problem(variable, message)


def _users(values: Mapping[str, Any]) -> Iterator[Problem]:
    try:
        parse_entries(values.get("mig_users", []))
    except EntriesError as error:
        for problem in error.problems:
            yield Problem("mig_users", problem)


def _certificates(values: Mapping[str, Any]) -> Iterator[Problem]:
    for message in certificate_problems(values.get("mig_certificates", {}), _certified_names(values)):
        yield Problem("mig_certificates", message)


def _certified_names(values: Mapping[str, Any]) -> dict[str, list[str]]:
    """The host names that each certificate of the site has to cover, by the name of the certificate."""
    names = {name: [values[fqdn]] for name, (fqdn, _) in _virtual_hosts(values).items()}
    names.get("public", []).extend(filter(None, [values.get(PUBLIC_ALIAS[0])]))
    if values.get("mig_io_fqdn"):
        names["io"] = [values["mig_io_fqdn"]]
    for host in values.get("apache_extra_virtual_hosts", []):
        names[host.get("name", "")] = [*filter(None, [host.get("fqdn")]), *(host.get("aliases") or [])]
    if values.get("mig_enable_vhost_certs", True):
        return names
    return {"site": [fqdn for fqdns in names.values() for fqdn in fqdns]}


_CONTRADICTIONS: tuple[Callable[[Mapping[str, Any]], Iterator[Problem]], ...] = (
    _shared_ports,
    _missing_access_name,
    _same_virtual_host,
    _certificate_without_its_key,
    _login_without_its_provider,
    _method_without_its_virtual_host,
    _others_who_vouch,
    _stray_state,
    _users,
    _certificates,
    _grid,
)

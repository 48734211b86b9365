"""MiGserver.conf: where it is, how it is read, which keys there are and what each accepts.

The format is MiG's: an INI file for configparser, with `%(key)s` for the value of another key of the same
section. The fields of `Configuration` are the one table of keys: reading and checking follow it.
"""

from __future__ import annotations

import configparser
import difflib
import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple

from . import values
from .errors import ConfigurationError, PrivilegeError, shown
from .values import WrongValueError, optional

DEFAULT_PATH = Path("/opt/migrid/server/MiGserver.conf")
SECTION_LINE = re.compile(r"\[(?P<section>[^]]+)\]")
KEY_LINE = re.compile(r"(?P<key>[^\s#;=:][^=:]*?)\s*[=:]")
REFERENCE = re.compile(r"%\((\w+)\)s")


class Problem(NamedTuple):
    """One thing that is wrong: where, what, and what to do about it. `line` is 0 outside of MiGserver.conf."""

    where: str
    what: str
    remedy: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.where}: {self.what}; {self.remedy}"


class Setting(NamedTuple):
    """One key of the file. `default` is text as in the file; None: the key is required."""

    section: str
    kind: Callable[[str], object]
    default: str | None


def _global(kind: Callable[[str], object], default: str | None = None) -> dict[str, Setting]:
    return {"setting": Setting("GLOBAL", kind, default)}


def _site(kind: Callable[[str], object], default: str | None = None) -> dict[str, Setting]:
    return {"setting": Setting("SITE", kind, default)}


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """What MiGserver.conf says. Attributes are named as the keys; directories are absolute."""

    path: Path

    server_fqdn: str = field(metadata=_global(values.host_name))
    support_email: str | None = field(metadata=_global(optional(values.mail_addresses), ""))
    admin_email: str = field(metadata=_global(values.mail_addresses, "mig"))
    admin_list: tuple[str, ...] = field(metadata=_global(values.client_ids, ""))
    smtp_server: str | None = field(metadata=_global(optional(values.server), ""))
    smtp_sender: str | None = field(metadata=_global(optional(values.mail_address), ""))
    auto_add_cert_user: bool = field(metadata=_global(values.boolean, "False"))
    auto_add_oidc_user: bool = field(metadata=_global(values.boolean, "False"))
    auto_add_user_permit: tuple[tuple[str, str], ...] = field(
        metadata=_global(values.user_patterns, "distinguished_name:.*")
    )
    cert_valid_days: int = field(metadata=_global(values.count, "365"))
    oidc_valid_days: int = field(metadata=_global(values.count, "365"))
    generic_valid_days: int = field(metadata=_global(values.count, "365"))
    state_path: Path = field(metadata=_global(values.directory))
    certs_path: Path = field(metadata=_global(values.directory, "/etc/migrid/certs"))
    mig_path: Path = field(metadata=_global(values.directory, "/opt/migrid"))
    mig_server_home: Path = field(metadata=_global(values.directory, "%(mig_path)s/server/"))
    accounts_home: Path = field(metadata=_global(values.directory, "/var/lib/migrid/accounts"))
    log_dir: Path = field(metadata=_global(values.directory, "%(state_path)s/log/"))
    user_home: Path = field(metadata=_global(values.directory, "%(state_path)s/user_home/"))
    user_db_home: Path = field(metadata=_global(values.directory, "%(state_path)s/user_db_home/"))
    user_pending: Path = field(metadata=_global(values.directory, "%(state_path)s/user_pending/"))
    notify_home: Path = field(metadata=_global(values.directory, "%(state_path)s/notify_home/"))
    webserver_home: Path = field(metadata=_global(values.directory, "%(state_path)s/webserver_home/"))
    wwwpublic: Path = field(metadata=_global(values.directory, "%(state_path)s/wwwpublic/"))
    mig_system_files: Path = field(metadata=_global(values.directory, "%(state_path)s/mig_system_files/"))
    mig_system_run: Path = field(metadata=_global(values.directory, "%(state_path)s/mig_system_run/"))
    migserver_public_url: str | None = field(metadata=_global(optional(values.url), ""))
    migserver_http_url: str | None = field(metadata=_global(optional(values.url), ""))
    migserver_https_sid_url: str | None = field(metadata=_global(optional(values.url), ""))
    migserver_https_mig_cert_url: str | None = field(metadata=_global(optional(values.url), ""))
    migserver_https_ext_cert_url: str | None = field(metadata=_global(optional(values.url), ""))
    migserver_https_ext_oidc_url: str | None = field(metadata=_global(optional(values.url), ""))
    migserver_https_mig_oidc_url: str | None = field(metadata=_global(optional(values.url), ""))
    mig_server_id: str = field(metadata=_global(values.text, "%(server_fqdn)s.0"))
    user_sftp_address: str | None = field(metadata=_global(optional(values.address), ""))
    user_sftp_port: int = field(metadata=_global(values.port, "2222"))
    user_sftp_show_port: int | None = field(metadata=_global(optional(values.port), ""))
    user_sftp_alias: str | None = field(metadata=_global(optional(values.one_of("alias", "email")), ""))
    user_sftp_subsys_address: str | None = field(metadata=_global(optional(values.address), ""))
    user_sftp_subsys_port: int = field(metadata=_global(values.port, "22222"))
    user_sftp_subsys_show_port: int | None = field(metadata=_global(optional(values.port), ""))
    user_ftps_address: str | None = field(metadata=_global(optional(values.address), ""))
    user_ftps_ctrl_port: int = field(metadata=_global(values.port, "8021"))
    user_ftps_show_ctrl_port: int | None = field(metadata=_global(optional(values.port), ""))
    user_ftps_pasv_ports: tuple[int, int] = field(metadata=_global(values.port_range, "8100:8400"))
    user_davs_address: str | None = field(metadata=_global(optional(values.address), ""))
    user_davs_port: int = field(metadata=_global(values.port, "4443"))
    user_davs_show_port: int | None = field(metadata=_global(optional(values.port), ""))
    davs_store: Path = field(metadata=_global(values.directory, "%(state_path)s/davs_store/"))
    openid_store: Path = field(metadata=_global(values.directory, "%(state_path)s/openid_store/"))
    openid_session_lifetime: int = field(metadata=_global(values.count, "43200"))
    user_mig_oidc_issuer: str | None = field(metadata=_global(optional(values.url), ""))
    user_ext_oidc_title: str = field(metadata=_global(values.text, "External"))
    loglevel: str = field(metadata=_global(values.one_of(*values.LOG_LEVELS), "info"))

    title: str = field(metadata=_site(values.text, "Minimum intrusion Grid"))
    short_title: str = field(metadata=_site(values.text, "MiG"))
    static_css: str | None = field(metadata=_site(optional(values.text), ""))
    external_doc: str | None = field(metadata=_site(optional(values.url), ""))
    datasafety_text: str | None = field(metadata=_site(optional(values.text), ""))
    datasafety_link: str | None = field(metadata=_site(optional(values.url), ""))
    enable_sftp: bool = field(metadata=_site(values.boolean, "False"))
    enable_sftp_subsys: bool = field(metadata=_site(values.boolean, "False"))
    enable_ftps: bool = field(metadata=_site(values.boolean, "False"))
    enable_davs: bool = field(metadata=_site(values.boolean, "False"))
    enable_openid: bool = field(metadata=_site(values.boolean, "False"))
    enable_migadmin: bool = field(metadata=_site(values.boolean, "False"))
    signup_methods: tuple[str, ...] = field(metadata=_site(values.words(*values.LOGIN_METHODS), ""))
    enable_twofactor: bool = field(metadata=_site(values.boolean, "True"))
    twofactor_mandatory_protos: tuple[str, ...] = field(metadata=_site(values.words("https"), ""))
    landing_page: str = field(metadata=_site(values.text, "/wsgi-bin/dashboard.py"))
    login_methods: tuple[str, ...] = field(metadata=_site(values.words(*values.LOGIN_METHODS), ""))
    password_policy: str = field(metadata=_site(values.password_policy, "MEDIUM"))
    welcome_text_file: Path | None = field(metadata=_site(optional(values.directory), ""))

    @property
    def user_db_path(self) -> Path:
        """The user store, `MiG-users.db` as in MiG."""
        return self.user_db_home / "MiG-users.db"

    @property
    def twofactor_is_mandatory(self) -> bool:
        """Whether everybody who logs in to the web with a password needs a second factor."""
        return self.enable_twofactor and "https" in self.twofactor_mandatory_protos

    @property
    def account_uid(self) -> int:
        """The numeric user id of the site's account: the owner of the directory of the user store."""
        return self._store_status().st_uid

    @property
    def account_gid(self) -> int:
        """The numeric group id of the site's account: the group of the directory of the user store."""
        return self._store_status().st_gid

    @property
    def welcome_text(self) -> str:
        """The text of welcome.txt in a new home; empty when the site has none."""
        if self.welcome_text_file is None:
            return ""
        try:
            return self.welcome_text_file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(
                f"{self.path}: [SITE] welcome_text_file: cannot read {self.welcome_text_file}: "
                f"{_remedied(error, 'write the file in UTF-8, or leave the key empty')}"
            ) from error

    def _store_status(self) -> os.stat_result:
        try:
            return self.user_db_home.stat()
        except PermissionError as error:
            raise PrivilegeError(f"cannot look at {self.user_db_home}; run it as root: sudo mig …") from error
        except OSError as error:
            raise ConfigurationError(
                f"{self.path}: [GLOBAL] user_db_home: cannot use {self.user_db_home}: "
                f"{_remedied(error, 'create it, as a directory of the account of the site')}"
            ) from error


SETTINGS: dict[str, Setting] = {
    item.name: item.metadata["setting"] for item in fields(Configuration) if "setting" in item.metadata
}
SECTIONS = tuple(dict.fromkeys(setting.section for setting in SETTINGS.values()))


class File(NamedTuple):
    """MiGserver.conf as it is written: its sections without defaults, and the line numbers of each key."""

    path: Path
    text: str
    sections: configparser.ConfigParser
    lines: dict[tuple[str, str], list[int]]

    def problem(self, section: str, key: str, what: str, remedy: str) -> Problem:
        """A problem with one key, at its last line."""
        line = self.lines.get((section, key), [0])[-1]
        place = f"{self.path}:{line}" if line else str(self.path)
        return Problem(f"{place}: [{section}] {key}", what, remedy, line)


def default_path() -> Path:
    """$MIG_CONF, else the place where the role migserver puts the file."""
    return Path(os.environ.get("MIG_CONF") or DEFAULT_PATH)


def load(path: Path | None = None) -> Configuration:
    """Read MiGserver.conf.

    Raises ConfigurationError, which names every wrong or missing value, when the file cannot be used.
    Keys this project does not know are ignored here; `checkconf` reports them.
    """
    file = read(path or default_path())
    found, problems = evaluate(file)
    if problems:
        raise ConfigurationError("\n".join(map(str, problems)))
    return Configuration(path=file.path, **found)


def read(path: Path) -> File:
    """Parse the file without judging its values.

    Raises ConfigurationError when it cannot be read or is no INI file.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"cannot read {path}: {_remedied(error, 'name the right file with --conf')}"
        ) from error
    sections = configparser.ConfigParser(strict=False)
    try:
        sections.read_string(text, source=str(path))
    except configparser.Error as error:
        raise ConfigurationError(f"{error.message}; write lines such as [GLOBAL] or key = value") from error
    return File(path, text, sections, _key_lines(text))


def _remedied(error: OSError | UnicodeDecodeError, remedy: str) -> str:
    """The reason that the system gives, and what to do."""
    reason = (error.strerror or str(error)) if isinstance(error, OSError) else "it is not text in UTF-8"
    return f"{reason}; {'run it as root: sudo mig …' if isinstance(error, PermissionError) else remedy}"


def _key_lines(text: str) -> dict[tuple[str, str], list[int]]:
    section = ""
    found: dict[tuple[str, str], list[int]] = defaultdict(list)
    for number, line in enumerate(text.splitlines(), start=1):
        if match := SECTION_LINE.match(line):
            section = match["section"]
        elif match := KEY_LINE.match(line):
            found[section, match["key"].lower()].append(number)
    return dict(found)


def evaluate(file: File) -> tuple[dict[str, Any], list[Problem]]:
    """The typed values of the file by key, and a problem for each that is missing or wrong.

    A value that fails only because it refers to a wrong one is not reported again.
    """
    sections = _with_defaults(file)
    found: dict[str, Any] = {}
    problems: list[Problem] = []
    wrong: set[str] = set()
    for key, setting in SETTINGS.items():
        try:
            found[key] = setting.kind(_text_of(sections, setting.section, key))
        except WrongValueError as error:
            written = sections.get(setting.section, key, raw=True, fallback="")
            if wrong.isdisjoint(REFERENCE.findall(written)):
                subject = shown(written) if written else "it"
                problems.append(file.problem(setting.section, key, f"{subject} {error.what}", error.remedy))
            wrong.add(key)
    return found, problems


def _with_defaults(file: File) -> configparser.ConfigParser:
    sections = configparser.ConfigParser(strict=False)
    for name in SECTIONS:
        sections.add_section(name)
    for key, setting in SETTINGS.items():
        if setting.default is not None:
            sections.set(setting.section, key, setting.default)
    sections.read_string(file.text)
    return sections


def _text_of(sections: configparser.ConfigParser, section: str, key: str) -> str:
    try:
        return sections.get(section, key)
    except configparser.NoOptionError:
        raise WrongValueError("is missing", f"write it in section [{section}]") from None
    except configparser.InterpolationMissingOptionError as error:
        raise WrongValueError(
            f"refers to %({error.reference})s, which is no key of [{section}]",
            suggestion(error.reference, sections.options(section)) or "write the name of another key",
        ) from None
    except configparser.InterpolationError:
        raise WrongValueError(
            "has a % that starts no reference, or refers to itself",
            "write %(key)s for the value of another key, %% for a %",
        ) from None


def suggestion(name: str, known: Iterable[str]) -> str:
    """`did you mean …?` for the known name closest to a misspelt one, or nothing."""
    names = {known_name.lower(): known_name for known_name in known}
    close = difflib.get_close_matches(name.lower(), names, n=1)
    return f"did you mean {names[close[0]]}?" if close else ""

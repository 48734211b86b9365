"""The program `mig-login`: asks the site about a login, for pam_exec(8).

    auth     required  pam_exec.so quiet expose_authtok /path/to/mig-login [MiGserver.conf]
    auth     required  pam_permit.so
    account  required  pam_exec.so quiet /path/to/mig-login [MiGserver.conf]

pam_exec has no answer when the stack is asked for credentials after the login (pam_setcred(3)); pam_permit gives one.

sshd runs `account` after a password and after a public key, and what it says about the method (SSH_AUTH_INFO_0) is
still empty then. Both runs for a password are children of the one process that holds the PAM session, so the first
notes that process, and the second finds it; without a note the user has come by key.
"""

from __future__ import annotations

import os
import sys
import syslog
import time
from collections.abc import Mapping
from pathlib import Path

from ..access import as_account
from ..configuration import Configuration, load
from ..errors import MigError
from .attempt import Attempt, Method, Service
from .decision import Logins
from .history import History, path_of

SERVICES = {
    "sshd": Service.SFTP,
    "proftpd": Service.FTPS,
}
"""By the name of the PAM stack; that of OpenSSH is fixed."""

_LONGEST_PASSWORD = 4096
_START_TIME = 19


def main() -> int:
    """The exit status: 0 granted, 1 refused."""
    try:
        site = load(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
        return 0 if _is_granted(site, os.environ) else 1
    except (MigError, OSError) as error:
        _complain(str(error))
        return 1


def _is_granted(site: Configuration, asked: Mapping[str, str]) -> bool:
    stage, service, login = asked.get("PAM_TYPE"), SERVICES.get(asked.get("PAM_SERVICE", "")), asked.get("PAM_USER")
    if stage not in ("auth", "account") or not service or not login:
        raise MigError("this is for auth and account of pam_exec(8), in the PAM stack " + " or ".join(SERVICES))
    method = Method.PASSWORD if stage == "auth" else Method.PUBLIC_KEY
    attempt = Attempt(service, method, login, asked.get("PAM_RHOST", ""))
    return _by_password(site, attempt) if stage == "auth" else _by_key(site, attempt)


def _by_password(site: Configuration, attempt: Attempt) -> bool:
    with as_account(site):
        granted = Logins(site).by_password(attempt, _password()).granted
    if granted:
        process = _process(attempt)
        with as_account(site), History(path_of(site)) as history:
            history.note_granted(process, time.time())
    return granted


def _by_key(site: Configuration, attempt: Attempt) -> bool:
    process = _process(attempt)
    with as_account(site):
        with History(path_of(site)) as history:
            if history.was_granted(process):
                return True
        return Logins(site).by_proof(attempt).granted


def _password() -> str:
    """What pam_exec writes to standard input, in some versions with a NUL at the end."""
    return sys.stdin.buffer.read(_LONGEST_PASSWORD).partition(b"\0")[0].decode(errors="surrogateescape")


def _complain(message: str) -> None:
    """Say in the system log, because pam_exec throws standard error away, and on standard error what is wrong."""
    syslog.openlog("mig-login", syslog.LOG_PERROR, syslog.LOG_AUTHPRIV)
    syslog.syslog(syslog.LOG_ERR, message)


def _process(attempt: Attempt) -> str:
    """Whose login it is: the process that asks, with its start time (proc(5)), which no later process has both. Only
    root sees it."""
    number = os.getppid()
    status = Path(f"/proc/{number}/stat").read_text(encoding="utf-8", errors="replace")
    started = status.rpartition(")")[2].split()[_START_TIME]
    return f"{number} {started} {attempt.service} {attempt.login}"


if __name__ == "__main__":
    sys.exit(main())

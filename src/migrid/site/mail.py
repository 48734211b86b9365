"""Mail of the site: written to a queue of files, and sent from there, so that a server that is down loses nothing.

A message is one file of the directory notify_home (RFC 5322, as EmailMessage writes it). `mig sendmail` sends what is
there: systemd runs it when something was added, and from time to time.
"""

from __future__ import annotations

import email.policy
import logging
import secrets
import smtplib
import ssl
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from email.parser import BytesParser
from email.utils import formatdate, make_msgid
from pathlib import Path

from ..files import locked, write_new
from .configuration import Configuration
from .errors import MigError
from .values import DISPLAY_NAME

SUFFIX = ".eml"
KEPT_SECONDS = 5 * 86400
_TIMEOUT_SECONDS = 20
_PERMANENT = 500
_POLICY = email.policy.SMTP

log = logging.getLogger(__name__)


def is_enabled(site: Configuration) -> bool:
    """Whether the site sends mail."""
    return site.smtp_server is not None


def post(site: Configuration, to: Iterable[str], subject: str, text: str) -> None:
    """Put a message into the queue; nothing without a server. Raises MigError for what cannot be in a header."""
    recipients = list(to)
    if not is_enabled(site) or not recipients:
        return
    message = EmailMessage(policy=_POLICY)
    try:
        message["From"] = _sender(site)
        message["To"] = ", ".join(recipients)
        message["Subject"] = f"[{site.short_title}] {subject}"
    except (ValueError, IndexError) as error:
        raise MigError(f"the mail about '{subject!r}' cannot be written: {error}") from error
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(domain=site.server_fqdn)
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834
    message.set_content(text)
    name = f"{time.time():.6f}-{secrets.token_hex(8)}"
    staged = site.notify_home / f".{name}"
    write_new(staged, message.as_bytes(), 0o600)
    staged.rename(site.notify_home / f"{name}{SUFFIX}")


def administrators(site: Configuration) -> list[str]:
    """The addresses of those who run the site."""
    return [_address(site, mailbox) for mailbox in site.admin_email.split(",")]


def deliver(site: Configuration) -> int:
    """Send what is in the queue; how many messages are still there. Raises MigError when the server does not answer."""
    with _queue(site.notify_home) as waiting:
        if not waiting or not is_enabled(site):
            return len(waiting)
        try:
            with _server(site) as server:
                return sum(not _sent(server, path) for path in waiting)
        except (OSError, smtplib.SMTPException) as error:
            raise MigError(
                f"the mail server {site.smtp_server} does not take mail: {error}; "
                f"{len(waiting)} messages wait in {site.notify_home}"
            ) from error


def _sent(server: smtplib.SMTP, path: Path) -> bool:
    """Whether this message needs no more care: it was sent, refused for good, or waited for too long."""
    message = BytesParser(policy=_POLICY).parsebytes(path.read_bytes())
    try:
        server.send_message(message)
    except smtplib.SMTPServerDisconnected:
        raise
    except (smtplib.SMTPException, ValueError) as error:
        if not _is_permanent(error) and path.stat().st_mtime > time.time() - KEPT_SECONDS:
            return False
        log.error("the mail '%s' to %s was given up: %s", message["Subject"], message["To"], error)
    path.unlink()
    return True


def _is_permanent(error: Exception) -> bool:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code >= _PERMANENT for code, _ in error.recipients.values())
    return not isinstance(error, smtplib.SMTPResponseException) or error.smtp_code >= _PERMANENT


@contextmanager
def _queue(directory: Path) -> Iterator[list[Path]]:
    """The messages, the oldest first, for one process at a time."""
    with locked(directory):
        yield sorted(path for path in directory.glob(f"*{SUFFIX}") if not path.name.startswith("."))


@contextmanager
def _server(site: Configuration) -> Iterator[smtplib.SMTP]:
    host, _, port = (site.smtp_server or "").rpartition(":")
    if not host or not port.isdigit():
        host, port = site.smtp_server or "", str(smtplib.SMTP_PORT)
    with smtplib.SMTP(host, int(port), timeout=_TIMEOUT_SECONDS) as server:
        server.ehlo()
        if server.has_extn("starttls"):
            server.starttls(context=_opportunistic())
            server.ehlo()
        yield server


def _opportunistic() -> ssl.SSLContext:
    """TLS where it is offered, with any certificate: better than none (RFC 7435)."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _sender(site: Configuration) -> str:
    return site.smtp_sender or _address(site, (site.support_email or site.admin_email).split(",")[0])


def _address(site: Configuration, mailbox: str) -> str:
    """The bare address; a local account is one of this host."""
    bare = DISPLAY_NAME.sub(r"\1", mailbox.strip())
    return bare if "@" in bare else f"{bare}@{site.server_fqdn}"

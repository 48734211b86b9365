"""The mail of the site, with a real server."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from sample_site import SampleSite
from signup_site import Configure, Mailbox

from migrid.site import mail
from migrid.site.configuration import Configuration, load
from migrid.site.errors import MigError
from migrid.site.store import today


@pytest.fixture
def site(mailing: Flask, sample_site: SampleSite) -> Configuration:
    return load(sample_site.conf)


def waiting(site: Configuration) -> int:
    return len(list(site.notify_home.glob("*.eml")))


def test_a_message_arrives_as_it_was_written(site: Configuration, mailbox: Mailbox) -> None:
    mail.post(site, ["Søren <soren@example.org>"], "Æble", "Hej Søren\n")
    assert mail.deliver(site) == 0
    [message] = mailbox.messages
    assert message["From"] == "Grid <grid@example.org>"
    assert message["Subject"] == "[MiG] Æble"
    assert message.get_content().strip() == "Hej Søren"
    assert message["Auto-Submitted"] == "auto-generated"
    assert waiting(site) == 0


def test_a_server_that_is_down_loses_nothing(configure: Configure, sample_site: SampleSite, mailbox: Mailbox) -> None:
    configure(smtp_server="127.0.0.1:1")
    site = load(sample_site.conf)
    mail.post(site, ["eve@example.org"], "Later", "text")
    with pytest.raises(MigError, match="does not take mail"):
        mail.deliver(site)
    configure(smtp_server=mailbox.address)
    assert mail.deliver(load(sample_site.conf)) == 0
    assert [subject for _, subject, _ in mailbox.texts()] == ["[MiG] Later"]


def test_a_message_that_is_put_off_is_tried_again(site: Configuration, mailbox: Mailbox) -> None:
    mail.post(site, ["eve@example.org"], "Later", "text")
    mailbox.answer = "451 try again"
    assert mail.deliver(site) == 1
    mailbox.answer = "250 taken"
    assert mail.deliver(site) == 0
    assert len(mailbox.messages) == 1


def test_a_message_that_is_refused_for_good_does_not_keep_the_others(site: Configuration, mailbox: Mailbox) -> None:
    mail.post(site, ["nobody@example.org"], "Refused", "text")
    mailbox.answer = "550 no such user"
    assert mail.deliver(site) == 0
    assert waiting(site) == 0


@pytest.mark.parametrize("text", ["a\nBcc: all@example.org", "a\r\nBcc: all@example.org", "a\rb"])
def test_no_header_can_be_smuggled_in(site: Configuration, text: str) -> None:
    with pytest.raises(MigError):
        mail.post(site, ["eve@example.org"], text, "text")
    with pytest.raises(MigError):
        mail.post(site, [f"eve@example.org{text}"], "Subject", "text")
    assert waiting(site) == 0


def test_nobody_else_reads_what_waits(site: Configuration) -> None:
    mail.post(site, ["eve@example.org"], "Secret", "text")
    [path] = site.notify_home.glob("*.eml")
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_site_without_a_server_keeps_no_mail(app: Flask, sample_site: SampleSite) -> None:
    site = load(sample_site.conf)
    mail.post(site, ["eve@example.org"], "Subject", "text")
    assert waiting(site) == 0


def test_users_hear_in_time_that_their_access_ends(mailing: Flask, sample_site: SampleSite, mailbox: Mailbox) -> None:
    for days in (0, 1, 7, 8, 30, 31):
        expire = (today() + timedelta(days=days)).isoformat()
        email = f"in.{days}@example.org"
        sample_site.inside("createuser", "--full-name", "Bo Example", "--email", email, "--expire", expire)
    sample_site.inside("edituser", "-i", "in.7@example.org", "--state", "suspended")
    sample_site.inside("notifyexpire")
    sample_site.inside("sendmail")
    assert sorted(to for to, _, _ in mailbox.texts()) == ["in.1@example.org", "in.30@example.org"]
    assert "Your files stay" in mailbox.texts()[0][2]

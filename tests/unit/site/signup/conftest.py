"""A site where people can sign up."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from sample_site import SampleSite
from signup_site import ADMINISTRATOR, Configure, Mailbox

from migrid.site.configuration import load
from migrid.site.signup.application import build


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    mailbox = Mailbox()
    with mailbox.open():
        yield mailbox


@pytest.fixture
def configure(sample_site: SampleSite) -> Configure:
    """Set keys of the section GLOBAL; the pages of that site."""
    sample_site.inside("createuser", "-i", ADMINISTRATOR)

    def pages(methods: str = "migoidc extcert extoidc", **keys: str) -> Flask:
        lines = {
            "admin_email": "admin@example.org",
            "admin_list": ADMINISTRATOR,
            "migserver_https_sid_url": "https://sid.grid.example.org",
            "migserver_https_ext_cert_url": "https://ext.grid.example.org",
        } | keys
        text = "\n".join(f"{key} = {value}" for key, value in lines.items())
        sample_site.configure(text, f"enable_migadmin = True\nsignup_methods = {methods}")
        return build(load(sample_site.conf))

    return pages


@pytest.fixture
def app(configure: Configure) -> Flask:
    """The pages of a site that sends no mail."""
    return configure()


@pytest.fixture
def mailing(configure: Configure, mailbox: Mailbox) -> Flask:
    """The pages of a site that sends mail."""
    return configure(smtp_server=mailbox.address, smtp_sender="Grid <grid@example.org>")

"""A site where people can sign up: its pages, its portal, and a mail server that keeps what it gets."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope
from flask import Flask
from loopback import free_port
from sample_site import ACCOUNT
from werkzeug.test import Client, TestResponse

from migrid.site.privileges import acting_as

PASSWORD = "Sample-Pass-01"
FORM = {
    "full_name": "Eve Example",
    "organization": "Example",
    "country": "DK",
    "email": "Eve@example.org",
    "password": PASSWORD,
    "again": PASSWORD,
    "comment": "I work with Ada.",
}
EVE = "/C=DK/ST=NA/L=NA/O=Example/OU=NA/CN=Eve Example/emailAddress=Eve@example.org"
ADMINISTRATOR = "/C=DK/ST=NA/L=NA/O=Example/OU=NA/CN=Ada Example/emailAddress=ada@example.org"

Configure = Callable[..., Flask]


class Mailbox:
    """What a mail server got; `answer` is what it says to each message."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self.answer = "250 taken"
        self.address = ""

    async def handle_DATA(self, *session: object) -> str:  # noqa: N802  (the name that aiosmtpd calls)
        if self.answer.startswith("250"):
            envelope = session[-1]
            assert isinstance(envelope, Envelope)
            content = envelope.content
            assert isinstance(content, bytes)
            found = message_from_bytes(content, policy=policy.default)
            assert isinstance(found, EmailMessage)
            self.messages.append(found)
        return self.answer

    def texts(self) -> list[tuple[str, str, str]]:
        """Recipient, subject and text of each message."""
        return [(str(found["To"]), str(found["Subject"]), found.get_content()) for found in self.messages]

    @contextmanager
    def open(self) -> Iterator[None]:
        """Be a mail server on this machine."""
        port = free_port()
        controller = Controller(self, hostname="127.0.0.1", port=port)
        controller.start()
        self.address = f"127.0.0.1:{port}"
        try:
            yield
        finally:
            controller.stop()


class Person:
    """Somebody with a browser, at an address; `environ` is what Apache has proven."""

    def __init__(self, app: Flask, address: str = "192.0.2.1", **environ: str) -> None:
        self._client: Client = app.test_client()
        self._environ = {"REMOTE_ADDR": address, **environ}

    def get(self, page: str) -> TestResponse:
        return self._send("GET", page)

    def post(self, page: str, **fields: str) -> TestResponse:
        """Send the form of a page as it was shown."""
        shown = self.get(page)
        hidden = dict(re.findall(r'type="hidden" name="([^"]*)" value="([^"]*)"', shown.text))
        return self._send("POST", page.partition("?")[0], data=hidden | fields)

    def forge(self, page: str, **fields: str) -> TestResponse:
        """Send a form that the site never showed."""
        return self._send("POST", page, data=fields)

    def _send(self, verb: str, page: str, **options: Any) -> TestResponse:
        path = page if page.startswith("/") else f"/cgi-sid/{page}"
        options |= {"base_url": "https://sid.grid.example.org", "environ_base": self._environ, "buffered": True}
        with acting_as(ACCOUNT, ACCOUNT):
            return self._client.open(path, method=verb, **options)

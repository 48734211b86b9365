"""A browser at the portal, as Apache passes on what it asks."""

from __future__ import annotations

import re
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

ADA = "/C=DK/ST=NA/L=NA/O=Example/OU=NA/CN=Ada Example/emailAddress=ada@example.org"
BO = "/C=DK/ST=NA/L=NA/O=Example/OU=NA/CN=Bo Example/emailAddress=bo@example.org"


class Browser:
    """A browser session of one user, on one virtual host."""

    def __init__(self, client: FlaskClient, name: str, method: str = "migoidc") -> None:
        self._client = client
        proof = name.encode().decode("latin-1")
        self._environ = {"MIG_LOGIN_METHOD": method, "OIDC_CLAIM_sub": proof, "REMOTE_ADDR": "192.0.2.1"}

    def show(self, certificate: str) -> None:
        """Let mod_ssl have verified this certificate."""
        self._environ["SSL_CLIENT_CERT"] = certificate

    def claim(self, **claims: str) -> None:
        """Let the provider say more about the login."""
        self._environ |= {f"OIDC_CLAIM_{name}": value for name, value in claims.items()}

    def get(self, page: str, **options: Any) -> TestResponse:
        return self.send("GET", page, **options)

    def post(self, page: str, data: dict[str, Any], **options: Any) -> TestResponse:
        return self.send("POST", page, data={"form_token": self.form_token, **data}, **options)

    def put(self, page: str, data: bytes, **options: Any) -> TestResponse:
        return self.send("PUT", page, data=data, headers={"X-Form-Token": self.form_token}, **options)

    @property
    def form_token(self) -> str:
        found = re.search(r'name="form_token" value="([0-9a-f]+)"', self.get("fileman.py").text)
        assert found
        return found[1]

    def send(self, verb: str, page: str, **options: Any) -> TestResponse:
        options |= {"base_url": "https://grid.example.org", "environ_base": self._environ, "buffered": True}
        return self._client.open(f"/wsgi-bin/{page}", method=verb, **options)

    def shown_after(self, answer: TestResponse) -> str:
        """The page that a form leads to."""
        assert answer.status_code == 303, answer.text
        return self.get(answer.headers["Location"].removeprefix("/wsgi-bin/")).text

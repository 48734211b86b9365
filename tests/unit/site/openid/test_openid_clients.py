"""What is read from files and from the network: never more is accepted than is meant."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openid_site import BASE, CALLBACK, PORTAL, SECRET, OpenidSite, authorize_url, basic
from werkzeug.datastructures import MultiDict

from migrid.site.errors import ConfigurationError
from migrid.site.openid import clients
from migrid.site.openid.backchannel import bearer_in, credentials_in
from migrid.site.openid.browser import FORM_COOKIE, SESSION_COOKIE
from migrid.site.openid.request import (
    RefusedError,
    Return,
    UnknownClientError,
    read_request,
    read_return,
    with_query,
)

KNOWN = clients.read([PORTAL], "clients.json")
ASKED = dict(parse_qsl(urlsplit(authorize_url()).query))


def test_a_file_of_clients_is_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    entry = {name: value for name, value in PORTAL.items() if name != "client_secret"}
    (tmp_path / "clients.json").write_text(json.dumps([{**entry, "client_secret_file": str(tmp_path / "secret")}]))
    (client,) = clients.load(tmp_path / "clients.json").values()
    assert client.has_secret(SECRET)
    assert not client.has_secret(f"{SECRET}x")
    assert SECRET not in repr(client)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"client_id": "a b"}, "client_id: write"),
        ({"client_id": None}, "client_id: write"),
        ({"client_secret": "short"}, "at least 32 random characters"),
        ({"client_secret": None}, "either client_secret or client_secret_file"),
        ({"client_secret_file": "/nowhere"}, "either client_secret or client_secret_file"),
        ({"redirect_uris": []}, "redirect_uris: write at least one"),
        ({"redirect_uris": CALLBACK}, "redirect_uris: this is no list"),
        ({"redirect_uris": ["http://portal.example.org/"]}, "is no absolute https address"),
        ({"post_logout_redirect_uris": ["/bye"]}, "is no absolute https address"),
        ({"backchannel_logout_uri": "https://a.example.org/#x"}, "is no absolute https address"),
        ({"redirect_uri": CALLBACK}, "'redirect_uri' is no key of a client"),
    ],
)
def test_a_wrong_client_is_an_error_that_shows_no_secret(change: dict[str, Any], message: str) -> None:
    entry = {name: value for name, value in {**PORTAL, **change}.items() if value is not None}
    with pytest.raises(ConfigurationError, match=r"clients\.json: client 2: ") as caught:
        clients.read([{**PORTAL, "client_id": "first"}, entry], "clients.json")
    assert message in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", '{"a": 1}', "\udcff"])
def test_a_wrong_file_is_an_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "clients.json"
    with pytest.raises(ConfigurationError, match=r"clients\.json"):
        clients.load(path)
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigurationError, match=r"clients\.json"):
        clients.load(path)


def test_two_clients_cannot_have_one_name() -> None:
    with pytest.raises(ConfigurationError, match="is another client's"):
        clients.read([PORTAL, PORTAL], "clients.json")


NEAR_URIS = st.text(alphabet="htps:/.@#?%\\ \t\n[]ex1é", max_size=20).map(lambda text: CALLBACK + text)


@given(uri=st.text(max_size=40) | NEAR_URIS)
def test_only_a_registered_address_is_returned_to(uri: str) -> None:
    asked = MultiDict({**ASKED, "redirect_uri": uri})
    if uri == CALLBACK:
        assert read_return(asked, KNOWN).redirect_uri == CALLBACK
    else:
        with pytest.raises(UnknownClientError):
            read_return(asked, KNOWN)


@pytest.mark.parametrize(
    "uri",
    [
        "https://ada:secret@portal.example.org/",
        "https://portal.example.org/a b",
        "https://portal.example.org/\n",
        "https://pörtal.example.org/",
        "https://portal.example.org:port/",
        "https:///callback",
        "https://[::1/",
        "http://127.0.0.1.example.org/",
        "javascript:alert(1)",
        "//portal.example.org/",
    ],
)
def test_no_strange_address_can_be_registered(uri: str) -> None:
    with pytest.raises(ConfigurationError, match=r"redirect_uris: .* is no absolute https address"):
        clients.read([{**PORTAL, "redirect_uris": [uri]}], "clients.json")


@given(uri=st.text(max_size=40) | NEAR_URIS)
def test_an_accepted_address_has_an_origin_that_a_header_can_hold(uri: str) -> None:
    if clients.is_uri(uri):
        (origin,) = clients.Client("c", "s", (uri,)).origins
        assert not set(" ;,'\r\n@") & set(origin)
        assert uri.startswith(origin)


@given(parameters=st.lists(st.tuples(st.sampled_from([*ASKED, "prompt", "max_age", "x"]), st.text(max_size=9))))
def test_any_other_request_is_read_or_refused(parameters: list[tuple[str, str]]) -> None:
    asked = MultiDict([*ASKED.items(), *parameters])
    answer = Return(KNOWN["portal"], CALLBACK, "s")
    with suppress(RefusedError):
        request = read_request(asked, answer)
        assert "openid" in request.scope.split()
        assert request.redirect_uri == CALLBACK


@given(state=st.text(min_size=1))
def test_the_client_gets_its_state_back(state: str) -> None:
    url = with_query("https://wiki.example.org/cb?x=1", {"code": "c", "state": state.encode(errors="replace").decode()})
    assert (
        dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))["state"] == state.encode(errors="replace").decode()
    )


@given(client_id=st.text(), secret=st.text())
def test_the_authorization_header_is_read_back(client_id: str, secret: str) -> None:
    name, word = (text.encode(errors="replace").decode() for text in (client_id, secret))
    assert credentials_in(basic(name, word)) == (name, word)
    assert word == "" or word not in repr(credentials_in(basic("c", word))) or word in "<Credentials of c>"


@given(header=st.text() | st.binary().map(lambda data: f"Basic {base64.b64encode(data).decode()}"))
def test_any_authorization_header_is_read_or_nothing(header: str) -> None:
    found = credentials_in(header)
    assert found is None or header.lower().startswith("basic ")
    assert bearer_in(header) == "" or header.lower().startswith("bearer ")


HEADER_TEXT = st.text(alphabet=st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"))


@given(value=HEADER_TEXT)
def test_any_cookie_is_no_session(shared_site: OpenidSite, value: str) -> None:
    cookies = f"{SESSION_COOKIE}={value}; {FORM_COOKIE}={value}"
    answer = shared_site.get(authorize_url(prompt="none").removeprefix(BASE), Cookie=cookies)
    assert answer.status_code == 303
    assert "error=login_required" in answer.headers["Location"]
    page = shared_site.get(authorize_url().removeprefix(BASE), Cookie=cookies)
    assert page.status_code == 200
    answer = shared_site.post("/login", {"form_token": value + "x", "login": "a", "password": "b"}, Cookie=cookies)
    assert answer.status_code == 403
    assert shared_site.people.attempts == []

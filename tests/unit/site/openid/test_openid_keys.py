"""The signing keys: made once, read by nobody else, and rotated without breaking what they signed."""

from __future__ import annotations

import base64
import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openid_site import Clock, OpenidSite, header_of

from migrid.site.errors import StoreError
from migrid.site.openid.keys import FILE_NAME, Keys

KEPT = 43200 + 600


def names(site: OpenidSite) -> list[str]:
    return [key["kid"] for key in site.get("/jwks").json["keys"]]


def test_only_public_parts_are_published(site: OpenidSite) -> None:
    (key,) = site.get("/jwks").json["keys"]
    assert set(key) == {"kty", "n", "e", "kid", "alg", "use"}
    assert (key["kty"], key["alg"], key["use"]) == ("RSA", "RS256", "sig")


def test_the_file_is_readable_by_the_daemon_only(directory: Path) -> None:
    assert stat.S_IMODE((directory / "keys" / FILE_NAME).stat().st_mode) == 0o600


def test_the_first_key_is_made_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(Keys(tmp_path, KEPT).make) for _ in range(4)]:
            done.result()
    (key,) = Keys(tmp_path, KEPT).public()["keys"]
    assert len(base64.urlsafe_b64decode(f"{key['n']}==")) * 8 == 3072


def test_a_new_key_signs_and_the_old_one_counts_until_nothing_needs_it(site: OpenidSite) -> None:
    browser = site.browser()
    old_token = browser.tokens()["id_token"]
    (old,) = names(site)
    new = Keys(site.directory / "keys", KEPT, site.clock).rotate()  # as the command mig does, in another process
    assert names(site) == [old, new]
    assert header_of(browser.tokens()["id_token"])["kid"] == new
    site.clock.move(KEPT - 60)
    assert site.claims(old_token)["aud"] == "portal"
    site.clock.move(61)
    assert names(site) == [new]
    assert site.provider.keys.verify(old_token) is None


def test_a_key_that_no_longer_signs_loses_its_private_part(directory: Path, clock: Clock) -> None:
    keys = Keys(directory / "keys", KEPT, clock)
    old = keys.public()["keys"][0]["kid"]
    keys.rotate()
    entries = {entry["kid"]: entry for entry in json.loads((directory / "keys" / FILE_NAME).read_text())["keys"]}
    assert not {"d", "p", "q", "dp", "dq", "qi"} & set(entries[old])
    clock.move(KEPT + 1)
    keys.rotate()
    assert old not in (directory / "keys" / FILE_NAME).read_text()


def test_a_damaged_file_is_an_error_and_stays(directory: Path, clock: Clock) -> None:
    (directory / "keys" / FILE_NAME).write_text('{"keys": []}')
    keys = Keys(directory / "keys", KEPT, clock)
    for operation in (keys.public, keys.rotate, lambda: keys.sign({})):
        with pytest.raises(StoreError, match="signing-keys"):
            operation()
    assert (directory / "keys" / FILE_NAME).read_text() == '{"keys": []}'


def encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def test_a_token_that_the_provider_did_not_sign_is_none(directory: Path, clock: Clock) -> None:
    keys = Keys(directory / "keys", KEPT, clock)
    token = keys.sign({"sub": "ada"})
    assert keys.verify(token) == {"sub": "ada"}
    header, claims, signature = token.split(".")
    kid = header_of(token)["kid"]
    forged = [
        f"{header}.{encoded({'sub': 'mallory'})}.{signature}",
        f"{encoded({'alg': 'none', 'kid': kid})}.{claims}.",
        f"{encoded({'alg': 'HS256', 'kid': kid})}.{claims}.{signature}",
        f"{encoded({'alg': 'RS256'})}.{claims}.{signature}",
        f"{encoded({'alg': 'RS256', 'kid': [kid]})}.{claims}.{signature}",
        f"{header}.{claims}",
        f"{header}.{claims}.",
    ]
    assert [keys.verify(text) for text in forged] == [None] * len(forged)


@given(text=st.text() | st.text("AZaz09_-.", max_size=60))
def test_no_text_makes_the_check_fail(made_keys: Path, text: str) -> None:
    assert Keys(made_keys / "keys", KEPT).verify(text) is None

"""`mig openid` as an operator uses it."""

from __future__ import annotations

import json
import os
import stat

from sample_site import ACCOUNT, SampleSite

ISSUER = "user_mig_oidc_issuer = https://oidc.grid.example.org/openid/"


def test_rotate_keys_is_done_as_the_account_of_the_site(sample_site: SampleSite) -> None:
    sample_site.configure(globals_text=ISSUER)
    directory = sample_site.state / "openid_store"
    os.chown(directory, ACCOUNT, ACCOUNT)
    file = directory / "keys/signing-keys.json"
    for expected in (1, 2):
        output = sample_site.inside("openid", "rotate-keys")
        keys = json.loads(file.read_text())["keys"]
        assert output == f"The key {keys[-1]['kid']} signs from now on.\n"
        assert len(keys) == expected
        assert ["d" in key for key in keys] == [False] * (expected - 1) + [True]
    status = file.stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (ACCOUNT, ACCOUNT, 0o600)


def test_a_site_without_a_provider_says_so(sample_site: SampleSite) -> None:
    done = sample_site.mig("openid", "rotate-keys")
    assert done.returncode == 2
    assert "user_mig_oidc_issuer: is missing" in done.stderr

"""The site's certificates: issued, renewed, given by the inventory, removed; and the module that does it on hosts."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from migrid.provision import authority
from migrid.provision.authority import CertificateError, Certificates, Policy, Wanted

CHECKOUT = Path(__file__).parents[3]
PUBLIC = Wanted("public", ("www.example.org", "grid.example.org"))
SID = Wanted("sid", ("sid.example.org",))


def certificates(path: Path, days: int = 365, renew_days: int = 30) -> Certificates:
    return Certificates(path / "certs", Policy("Test Grid", "Test Grid certificates", days, renew_days))


def given(other: Path, want: Wanted) -> Wanted:
    """A certificate as the inventory would give it, made by another authority in ``other``."""
    certificates(other).write([want])
    texts = ((other / "certs" / f"{want.name}{ending}").read_text() for ending in (".crt", ".key"))
    return Wanted(want.name, want.names, *texts)


def files(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


def verify(path: Path, name: str, host: str) -> str:
    command = ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", host]
    arguments = [*command, "-CAfile", str(path / "certs/ca.crt"), str(path / f"certs/{name}.crt")]
    result = subprocess.run(arguments, capture_output=True, text=True, check=False)
    return result.stdout.strip().rsplit(" ", 1)[-1] if result.returncode == 0 else result.stderr


def test_issues_what_openssl_accepts_for_each_name(tmp_path: Path) -> None:
    reasons = certificates(tmp_path).write([PUBLIC, SID])
    assert reasons == {"ca": "there is none", "public": "there is none", "sid": "there is none"}
    assert verify(tmp_path, "public", "www.example.org") == "OK"
    assert verify(tmp_path, "public", "grid.example.org") == "OK"
    assert verify(tmp_path, "sid", "sid.example.org") == "OK"
    assert verify(tmp_path, "sid", "www.example.org") != "OK"


def test_keys_are_for_their_owner_alone(tmp_path: Path) -> None:
    certificates(tmp_path).write([PUBLIC])
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "certs").rglob("*")}
    assert modes == {"ca": 0o700, "ca.key": 0o600, "ca.crt": 0o644, "public.key": 0o600, "public.crt": 0o644}


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    certificates(tmp_path).write([PUBLIC, SID])
    before = files(tmp_path)
    assert certificates(tmp_path).write([PUBLIC, SID]) == {}
    assert files(tmp_path) == before


def test_planning_changes_nothing(tmp_path: Path) -> None:
    assert certificates(tmp_path).plan([PUBLIC]) == {"ca": "there is none", "public": "there is none"}
    assert files(tmp_path) == {}


def test_renews_what_ends_soon_and_keeps_the_authority(tmp_path: Path) -> None:
    certificates(tmp_path, days=20).write([PUBLIC])
    before = files(tmp_path)
    reasons = certificates(tmp_path).write([PUBLIC])
    assert list(reasons) == ["public"]
    assert reasons["public"].startswith("it ends on 20")
    after = files(tmp_path)
    assert after["certs/ca.crt"] == before["certs/ca.crt"]
    assert after["certs/public.key"] != before["certs/public.key"]
    assert verify(tmp_path, "public", "www.example.org") == "OK"


def test_renews_the_authority_and_what_it_issued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(authority, "AUTHORITY_LIFE", timedelta(days=20))
        certificates(tmp_path).write([PUBLIC])
    reasons = certificates(tmp_path).write([PUBLIC])
    assert reasons["ca"].startswith("it ends on")
    assert reasons["public"] == "the authority is new"
    assert verify(tmp_path, "public", "www.example.org") == "OK"


def damage(path: Path) -> None:
    path.write_text("nothing")


def swap_keys(path: Path) -> None:
    path.with_name("public.key").write_bytes(path.with_name("sid.key").read_bytes())


@pytest.mark.parametrize(
    ("name", "act", "reason"),
    [
        ("public.crt", Path.unlink, "there is none"),
        ("public.key", Path.unlink, "there is none"),
        ("public.crt", damage, "it is damaged"),
        ("public.key", damage, "it is damaged"),
        ("public.key", swap_keys, "its key is another one"),
        ("public.key", lambda path: path.chmod(0o644), "its key can be read by others than root"),
    ],
)
def test_repairs_a_pair(tmp_path: Path, name: str, act: Any, reason: str) -> None:
    certificates(tmp_path).write([PUBLIC, SID])
    act(tmp_path / "certs" / name)
    assert certificates(tmp_path).write([PUBLIC, SID]) == {"public": reason}
    assert verify(tmp_path, "public", "www.example.org") == "OK"


def test_changed_names_are_issued_again(tmp_path: Path) -> None:
    certificates(tmp_path).write([PUBLIC, SID])
    reasons = certificates(tmp_path).write([Wanted("public", ("new.example.org",))])
    assert reasons == {"public": "the names have changed"}
    assert verify(tmp_path, "public", "new.example.org") == "OK"


def test_removal_takes_what_was_issued_for_a_virtual_host_that_is_no_more(tmp_path: Path) -> None:
    certificates(tmp_path).write([PUBLIC, SID])
    assert set(certificates(tmp_path).remove([PUBLIC])) == {"ca", "public", "sid"}
    assert files(tmp_path) == {}


def test_given_certificates_are_written_as_they_are(tmp_path: Path) -> None:
    want = given(tmp_path / "other", SID)
    assert certificates(tmp_path).write([want]) == {"sid": "there is none"}
    written = files(tmp_path / "certs")
    assert sorted(written) == ["sid.crt", "sid.key"]
    assert written["sid.key"].decode() == want.private_key
    assert certificates(tmp_path).plan([want]) == {}
    newer = given(tmp_path / "newer", SID)
    assert certificates(tmp_path).write([newer]) == {"sid": "the inventory gives another one"}


@pytest.mark.parametrize(
    ("certificate", "key", "message"),
    [("sid", "public", "not the key"), ("sid", None, "as PEM"), (None, "sid", "as PEM")],
)
def test_a_given_pair_that_does_not_match_changes_nothing(
    tmp_path: Path, certificate: str | None, key: str | None, message: str
) -> None:
    texts = {want.name: given(tmp_path / "other" / want.name, want) for want in (PUBLIC, SID)}
    pair = (
        texts[certificate].certificate if certificate else "nothing",
        texts[key].private_key if key else "nothing",
    )
    with pytest.raises(CertificateError, match=message):
        certificates(tmp_path).write([PUBLIC, Wanted("sid", SID.names, *pair)])
    assert not (tmp_path / "certs").exists()


def test_removal_leaves_what_others_put_there(tmp_path: Path) -> None:
    want = given(tmp_path / "other", SID)
    certificates(tmp_path).write([PUBLIC, want])
    (tmp_path / "certs/operator.crt").write_text("something of the operator")
    assert set(certificates(tmp_path).remove([want])) == {"ca", "public", "sid"}
    assert list(files(tmp_path / "certs")) == ["operator.crt"]
    (tmp_path / "certs/operator.crt").unlink()
    assert certificates(tmp_path).remove([want]) == {}
    assert not (tmp_path / "certs").exists()


def test_long_and_foreign_names(tmp_path: Path) -> None:
    long_name = ".".join(["x" * 60] * 4)
    policy = Policy("Ünïcödé " * 20, "Ünïcödé " * 20, 365, 30)
    Certificates(tmp_path / "certs", policy).write([Wanted("public", (long_name,))])
    assert verify(tmp_path, "public", long_name) == "OK"
    found = x509.load_pem_x509_certificate((tmp_path / "certs/public.crt").read_bytes())
    assert found.issuer == x509.load_pem_x509_certificate((tmp_path / "certs/ca.crt").read_bytes()).subject


def run_module(**arguments: Any) -> dict[str, Any]:
    """Run the module through its own entry point, as Ansible does."""
    command = [str(Path(sys.executable).with_name("ansible")), "localhost", "-i", "localhost,", "-c", "local"]
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(Path.home()),
        "ANSIBLE_LIBRARY": str(CHECKOUT / "library"),
        "ANSIBLE_MODULE_UTILS": str(CHECKOUT / "module_utils"),
        "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1",
        "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.minimal",
        "LC_ALL": "C.UTF-8",
    }
    check = ["--check"] if arguments.pop("check", False) else []
    options = ["-e", f"ansible_python_interpreter={sys.executable}", "--diff", "-vvv", *check]
    action = ["-m", "site_certificates", "-a", json.dumps(arguments)]
    result = subprocess.run(
        [*command, *options, *action], capture_output=True, text=True, check=False, env=environment, cwd="/"
    )
    body = result.stdout[result.stdout.index("{") : result.stdout.rindex("}") + 1]
    return {**json.loads(body), "output": result.stdout + result.stderr}


def test_the_module_in_check_mode_then_for_real(tmp_path: Path) -> None:
    want = given(tmp_path / "other", SID)
    arguments = {
        "path": str(tmp_path / "certs"),
        "organization": "Test Grid",
        "authority": "Test Grid certificates",
        "certificates": [
            {"name": "public", "names": ["www.example.org"]},
            {
                "name": "sid",
                "names": ["sid.example.org"],
                "certificate": want.certificate,
                "private_key": want.private_key,
            },
        ],
    }
    planned = run_module(check=True, **arguments)
    assert not (tmp_path / "certs").exists()
    done = run_module(**arguments)
    assert planned["changes"] == done["changes"] == dict.fromkeys(("ca", "public", "sid"), "there is none")
    assert str(want.private_key).splitlines()[1] not in done["output"]
    assert "public: there is none" in done["diff"]["prepared"]
    assert run_module(**arguments)["changed"] is False

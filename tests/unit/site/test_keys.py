"""Public keys, made by ssh-keygen."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest

from migrid.site.errors import FieldError
from migrid.site.keys import parse_public_key


def make_key(directory: Path, *arguments: str) -> str:
    file = directory / "key"
    subprocess.run(["ssh-keygen", "-q", "-N", "", "-C", "", "-f", file, *arguments], check=True)
    return file.with_suffix(".pub").read_text(encoding="utf-8").strip()


@pytest.fixture(scope="module")
def ed25519(tmp_path_factory: pytest.TempPathFactory) -> str:
    return make_key(tmp_path_factory.mktemp("ed25519"), "-t", "ed25519")


@pytest.mark.parametrize(
    "arguments",
    [
        ("-t", "ed25519"),
        ("-t", "ecdsa", "-b", "256"),
        ("-t", "ecdsa", "-b", "384"),
        ("-t", "ecdsa", "-b", "521"),
        ("-t", "rsa", "-b", "2048"),
    ],
)
def test_keys_of_ssh_keygen_are_accepted(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    line = make_key(tmp_path, *arguments)
    assert parse_public_key(line) == line


def test_a_line_is_normalised(ed25519: str) -> None:
    assert parse_public_key(f"  {ed25519.replace(' ', '   ')} ada@laptop  \n") == f"{ed25519} ada@laptop"


def field(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def test_security_keys_are_accepted() -> None:
    kinds = {
        "sk-ssh-ed25519@openssh.com": (bytes(32),),
        "sk-ecdsa-sha2-nistp256@openssh.com": (b"nistp256", b"\4" + bytes(64)),
    }
    for kind, fields in kinds.items():
        data = b"".join(map(field, (kind.encode(), *fields, b"ssh:")))
        line = f"{kind} {base64.b64encode(data).decode()}"
        assert parse_public_key(line) == line


def test_weak_rsa_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FieldError, match="less than 2048 bits"):
        parse_public_key(make_key(tmp_path, "-t", "rsa", "-b", "1024"))


def test_lines_that_are_no_keys(ed25519: str) -> None:
    kind, data = ed25519.split()
    wrong = {
        "": "an empty line",
        "/home/ada/.ssh/id_ed25519.pub": "not an accepted type",
        f"ssh-dss {data}": "not an accepted type",
        f'command="sh" {ed25519}': "options before the key are refused",
        kind: "no data",
        f"{kind} {data[:-4]}": "damaged",
        f"{kind} {data[:-4]}!!!!": "damaged",
        f"ssh-rsa {data}": "its data is 'ssh-ed25519'",
        f"{ed25519} one\nssh-ed25519 {data} two": "invisible character",
        f"{ed25519} {'x' * 5000}": "at most 255",
    }
    for line, reason in wrong.items():
        with pytest.raises(FieldError, match=reason) as caught:
            parse_public_key(line)
        assert caught.value.field == "public_keys"


def test_a_private_key_is_recognised_and_not_shown() -> None:
    with pytest.raises(FieldError, match="holds a private key") as caught:
        parse_public_key("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk\n-----END OPENSSH PRIVATE KEY-----")
    assert "b3Blb" not in str(caught.value)


def test_every_cut_of_a_key_is_refused(ed25519: str) -> None:
    kind, data = ed25519.split()
    raw = base64.b64decode(data)
    for length in range(len(raw)):
        with pytest.raises(FieldError):
            parse_public_key(f"{kind} {base64.b64encode(raw[:length]).decode()}")

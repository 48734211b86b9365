"""The page that bin/site ends with."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).parents[2] / "bin" / "lib" / "page.py"


@pytest.fixture
def summary(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "ca.crt").write_text("a certificate")
    return {
        "title": "Example site",
        "public_url": "https://www.mig.test/",
        "ca_file": str(tmp_path / "ca.crt"),
        "hosts": {"mig1": {"address": "192.0.2.10"}},
        "virtual_hosts": {
            "public": {"name": "www.mig.test", "port": 443, "address": "192.0.2.10"},
            "sid": {"name": "sid.mig.test", "port": 4443, "address": "192.0.2.10"},
        },
        "services": {"grid_sftp": {"name": "io.mig.test", "host": "192.0.2.11", "port": 2222}},
        "grids": [
            {"name": "grid-a", "address": "192.0.2.21", "applications": ["shop", "blog"]},
            {"name": "grid-b", "address": "192.0.2.22", "applications": []},
        ],
        "user": {"login": "ada@example.org", "key_file": "build/key", "password_file": "build/password"},
    }


def page(summary: dict[str, Any], tmp_path: Path) -> str:
    file = tmp_path / "site.json"
    file.write_text(json.dumps(summary), encoding="utf-8")
    return subprocess.run([sys.executable, PROGRAM, file], capture_output=True, text=True, check=True).stdout


def test_it_tells_how_to_reach_the_site(summary: dict[str, Any], tmp_path: Path) -> None:
    text = page(summary, tmp_path)
    assert "https://sid.mig.test:4443/" in text
    assert "192.0.2.10 sid.mig.test www.mig.test\n" in text
    assert "192.0.2.11 io.mig.test\n" in text
    assert f"curl --cacert {tmp_path}/ca.crt https://www.mig.test/" in text
    assert "sftp -i build/key -P 2222 ada@example.org@192.0.2.11" in text


def test_without_a_sample_user_it_tells_of_no_login(summary: dict[str, Any], tmp_path: Path) -> None:
    assert "sftp" not in page(summary | {"user": {}}, tmp_path).replace("grid_sftp", "")


def test_without_an_authority_of_the_site_it_tells_of_no_certificate(summary: dict[str, Any], tmp_path: Path) -> None:
    assert "--cacert" not in page(summary | {"ca_file": str(tmp_path / "none")}, tmp_path)


def test_it_tells_how_to_move_an_application(summary: dict[str, Any], tmp_path: Path) -> None:
    text = page(summary, tmp_path)
    assert "grid grid-b: 192.0.2.22\n" in text
    assert "migrate.yml -e app=shop -e target_grid=grid-b" in text


@pytest.mark.parametrize("grids", [[], [{"name": "grid-a", "address": "192.0.2.21", "applications": ["shop"]}]])
def test_without_another_grid_it_tells_of_no_move(
    grids: list[dict[str, Any]], summary: dict[str, Any], tmp_path: Path
) -> None:
    assert "migrate.yml" not in page(summary | {"grids": grids}, tmp_path)

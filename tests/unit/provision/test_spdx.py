"""What is in an image, as the validator of the SPDX project and a reader of the document see it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from migrid.provision import spdx
from migrid.provision.licences import UNKNOWN, Licence, licence

HEADER = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: sample\n"
SAMPLE = f"""{HEADER}
Files: *
Copyright: 2001 Somebody
License: GPL-2+ or Artistic

Files: lib/*
Copyright: 2002 Somebody
License: BSD-like
 You may do
 .
 what you like.

Files: doc/*
Copyright: 2003 Somebody
License: Expat
"""
RECORDS = """Package: libsample1
Source: sample
Version: 1:2.0~rc1+b2
Architecture: amd64
SHA256: 1111111111111111111111111111111111111111111111111111111111111111
Description: a sample
 whose description has: a colon

Package: bsd-tools
Version: 3
Architecture: all
"""
RELEASE = spdx.Release("MIG", "0a1b2c3d4e5f", "mig-0a1b2c3d4e5f.tar", "2" * 64)


def _files(*licences: str) -> str:
    paragraphs = (f"Files: {number}\nCopyright: x\nLicense: {name}\n" for number, name in enumerate(licences))
    return "\n".join([HEADER, *paragraphs])


@pytest.mark.parametrize(
    ("names", "expression"),
    [
        (["Expat"], "MIT"),
        (["bsd-3-clause"], "BSD-3-Clause"),
        (["Apache-2"], "Apache-2.0"),
        (["GPL-2"], "GPL-2.0-only"),
        (["LGPL-2.1+"], "LGPL-2.1-or-later"),
        (["GPL-3+ and ISC"], "GPL-3.0-or-later AND ISC"),
        (["GPL-2+ or Artistic"], "GPL-2.0-or-later OR Artistic-1.0"),
        (["GPL-1+ or Artistic, and Expat"], "(GPL-1.0-or-later OR Artistic-1.0) AND MIT"),
        (["Expat, and GPL-1+ or Artistic"], "MIT AND (GPL-1.0-or-later OR Artistic-1.0)"),
        (["Expat", "GPL-2+ or Artistic", "Expat"], "(GPL-2.0-or-later OR Artistic-1.0) AND MIT"),
    ],
)
def test_licences_have_the_names_of_spdx(names: list[str], expression: str) -> None:
    assert licence(_files(*names)) == Licence(expression)


def test_a_licence_without_a_name_has_its_text() -> None:
    found = licence(SAMPLE)
    [(reference, text)] = found.texts.items()
    assert text == "You may do\n\nwhat you like."
    assert found.expression == f"(GPL-2.0-or-later OR Artistic-1.0) AND {reference} AND MIT"
    assert reference.startswith("LicenseRef-BSD-like-")


def test_an_exception_is_part_of_the_text() -> None:
    [(reference, text)] = licence(_files("GPL-3+ with Bison exception\n As a special exception …")).texts.items()
    assert reference.startswith("LicenseRef-GPL-3-with-Bison-exception-")
    assert text == "As a special exception …"


@pytest.mark.parametrize("text", ["", "This is free software.\n", "Format: other\n\nFiles: *\nLicense: MIT\n", HEADER])
def test_a_file_for_people_tells_nothing(text: str) -> None:
    assert licence(text) == Licence(UNKNOWN)


def test_copyright_files_come_from_the_tree(tmp_path: Path) -> None:
    documentation = tmp_path / "tree/usr/share/doc"
    (documentation / "libsample1").mkdir(parents=True)
    (documentation / "libsample1/copyright").write_text(SAMPLE)
    (documentation / "sample-tools").symlink_to("libsample1")
    (documentation / "nothing").mkdir()
    subprocess.run(["tar", "-cf", tmp_path / "tree.tar", "-C", tmp_path / "tree", "."], check=True)
    assert spdx.copyrights(tmp_path / "tree.tar") == {"libsample1": SAMPLE, "sample-tools": SAMPLE}


@pytest.fixture
def document() -> str:
    return spdx.document(RELEASE, spdx.packages(RECORDS, {"libsample1": SAMPLE}))


@pytest.fixture
def sample(document: str) -> dict[str, Any]:
    """The package that the document tells most about."""
    [found] = [package for package in json.loads(document)["packages"] if package["name"] == "libsample1"]
    return dict(found)


def test_the_document_is_valid(document: str, tmp_path: Path) -> None:
    (tmp_path / "mig.spdx.json").write_text(document)
    assert validate_full_spdx_document(parse_file(str(tmp_path / "mig.spdx.json"))) == []


def test_the_document_names_each_package(document: str) -> None:
    packages = {package["name"]: package["versionInfo"] for package in json.loads(document)["packages"]}
    assert packages == {
        "MIG": RELEASE.version,
        "migrid": RELEASE.version,
        "bsd-tools": "3",
        "libsample1": "1:2.0~rc1+b2",
    }


def test_a_package_says_where_it_comes_from(sample: dict[str, Any]) -> None:
    assert sample["externalRefs"][0]["referenceLocator"] == "pkg:deb/debian/libsample1@1:2.0~rc1%2Bb2?arch=amd64"
    assert sample["checksums"] == [{"algorithm": "SHA256", "checksumValue": "1" * 64}]
    assert sample["sourceInfo"] == "built from the source package sample (1:2.0~rc1+b2)"
    assert sample["licenseDeclared"] == licence(SAMPLE).expression


def test_the_document_is_the_same_each_time(document: str) -> None:
    records = "\n\n".join(reversed(RECORDS.strip().split("\n\n")))
    assert spdx.document(RELEASE, spdx.packages(records, {"libsample1": SAMPLE})) == document

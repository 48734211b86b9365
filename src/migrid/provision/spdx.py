"""What is in an image, as a document of SPDX 2.3 in JSON."""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from ..grid.image.archive import CREATED
from . import deb822
from .licences import UNKNOWN, Licence, licence

_DOCUMENT = "SPDXRef-DOCUMENT"
_IMAGE = "SPDXRef-Image"
_DOCUMENTATION = PurePosixPath("usr/share/doc")


@dataclass(frozen=True)
class Package:
    """One package of Debian's. `sha256` is of its file, and empty where no mirror has it any more."""

    name: str
    version: str
    architecture: str
    source: str
    sha256: str
    licence: Licence


@dataclass(frozen=True)
class Release:
    """The image that the document is about; `sha256` is of its file."""

    title: str
    version: str
    file_name: str
    sha256: str


def packages(records: str, copyrights: Mapping[str, str]) -> list[Package]:
    """The packages of an image, from what apt tells of them (deb822) and from their copyright files by their names."""
    found = (_package(record, copyrights) for record in deb822.paragraphs(records))
    return sorted(found, key=lambda package: (package.name, package.architecture))


def copyrights(archive: Path) -> dict[str, str]:
    """The copyright files in an archive of a host's files, by the names of the packages. The directory of one package
    may be a link to that of another one."""
    texts: dict[PurePosixPath, str] = {}
    links: dict[PurePosixPath, PurePosixPath] = {}
    with tarfile.open(archive, "r|") as entries:
        for entry in entries:
            path = PurePosixPath(entry.name)
            if not path.is_relative_to(_DOCUMENTATION):
                continue
            file = entries.extractfile(entry) if entry.isreg() and path.name == "copyright" else None
            if file:
                texts[path.relative_to(_DOCUMENTATION)] = file.read().decode(errors="replace")
            elif entry.issym():
                links[path.relative_to(_DOCUMENTATION)] = path.relative_to(_DOCUMENTATION).parent / entry.linkname
    directories = {path.parent: text for path, text in texts.items()}
    linked = {path: directories[target] for path, target in links.items() if target in directories}
    return {str(path): text for path, text in {**directories, **linked}.items()}


def document(release: Release, found: Iterable[Package]) -> str:
    """The document. The same packages in the same image make the same text."""
    found = list(found)
    described = [_image(release), _code(release), *map(_described, found)]
    texts = {name: text for package in found for name, text in package.licence.texts.items()}
    data = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": _DOCUMENT,
        "name": f"{release.title} {release.version}",
        "documentNamespace": f"https://spdx.org/spdxdocs/{release.title.lower()}-{release.version}-{release.sha256}",
        "creationInfo": {"created": CREATED, "creators": [f"Tool: migrid-{release.version}"]},
        "packages": described,
        "hasExtractedLicensingInfos": [
            {"licenseId": name, "extractedText": text} for name, text in sorted(texts.items())
        ],
        "relationships": [
            _relationship(_DOCUMENT, "DESCRIBES", _IMAGE),
            *(_relationship(_IMAGE, "CONTAINS", package["SPDXID"]) for package in described[1:]),
        ],
    }
    return json.dumps({name: value for name, value in data.items() if value}, indent=2, ensure_ascii=False) + "\n"


def _package(record: Mapping[str, str], copyrights: Mapping[str, str]) -> Package:
    name = record["Package"]
    text = copyrights.get(name)
    source = record.get("Source", name)
    if "(" not in source:
        source = f"{source} ({record['Version']})"
    return Package(
        name,
        record["Version"],
        record["Architecture"],
        source,
        record.get("SHA256", ""),
        licence(text) if text else Licence(),
    )


def _image(release: Release) -> dict[str, Any]:
    return {
        **_common(
            _IMAGE, release.title, release.version, f"pkg:docker/migrid/{release.title.lower()}@{release.version}"
        ),
        "packageFileName": release.file_name,
        "checksums": [_checksum(release.sha256)],
        "primaryPackagePurpose": "CONTAINER",
    }


def _code(release: Release) -> dict[str, Any]:
    own = _common("SPDXRef-migrid", "migrid", release.version, f"pkg:generic/migrid@{release.version}")
    return {**own, "licenseDeclared": "GPL-3.0-or-later", "primaryPackagePurpose": "APPLICATION"}


def _described(package: Package) -> dict[str, Any]:
    identifier = re.sub("[^A-Za-z0-9.-]", "-", f"SPDXRef-deb-{package.name}-{package.architecture}")
    purl = f"pkg:deb/debian/{quote(package.name)}@{quote(package.version, safe=':~')}?arch={package.architecture}"
    return {
        **_common(identifier, package.name, package.version, purl),
        "supplier": "Organization: Debian",
        "sourceInfo": f"built from the source package {package.source}",
        "licenseDeclared": package.licence.expression,
        **({"checksums": [_checksum(package.sha256)]} if package.sha256 else {}),
        "comment": f"architecture {package.architecture}",
    }


def _common(identifier: str, name: str, version: str, purl: str) -> dict[str, Any]:
    return {
        "SPDXID": identifier,
        "name": name,
        "versionInfo": version,
        "downloadLocation": UNKNOWN,
        "filesAnalyzed": False,
        "licenseConcluded": UNKNOWN,
        "licenseDeclared": UNKNOWN,
        "copyrightText": UNKNOWN,
        "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": purl}],
    }


def _checksum(sha256: str) -> dict[str, str]:
    return {"algorithm": "SHA256", "checksumValue": sha256}


def _relationship(one: str, kind: str, other: str) -> dict[str, str]:
    return {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}

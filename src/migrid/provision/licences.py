"""The licences that Debian's copyright files tell, as SPDX expressions.

Machine-readable copyright files are in the format 1.0 of Debian's policy; expressions are those of SPDX 2.3, annex D.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from . import deb822

UNKNOWN = "NOASSERTION"
_FORMAT = "/packaging-manuals/copyright-format/1.0"
_GNU = re.compile(r"(AGPL|GPL|LGPL)-([1-3])(?:\.([01]))?(\+)?")
_SAME_NAME = (
    *("0BSD", "Apache-2.0", "Artistic-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSD-4-Clause", "BSD-4-Clause-UC"),
    *(
        "BSL-1.0",
        "CC-BY-3.0",
        "CC-BY-4.0",
        "CC-BY-SA-3.0",
        "CC-BY-SA-4.0",
        "CC0-1.0",
        "curl",
        "FSFAP",
        "FSFUL",
        "FSFULLR",
    ),
    *("GPL-2.0-only", "GPL-2.0-or-later", "GPL-3.0-only", "GPL-3.0-or-later", "ISC", "LGPL-2.1-only"),
    *(
        "LGPL-2.1-or-later",
        "LGPL-3.0-only",
        "LGPL-3.0-or-later",
        "MIT",
        "MPL-1.1",
        "MPL-2.0",
        "NTP",
        "OpenSSL",
        "PSF-2.0",
    ),
    *("Python-2.0", "Sleepycat", "Unicode-DFS-2016", "Unlicense", "X11", "Zlib", "ZPL-2.1"),
)
_OTHER_NAME = {
    "Apache-2": "Apache-2.0",
    "Artistic": "Artistic-1.0",
    "Artistic-2": "Artistic-2.0",
    "BSL-1": "BSL-1.0",
    "CC0": "CC0-1.0",
    "Expat": "MIT",
    "MPL-2": "MPL-2.0",
    "PSF-2": "PSF-2.0",
    "Zope-2.1": "ZPL-2.1",
}
_SPDX = {name.lower(): spdx for name, spdx in [*((name, name) for name in _SAME_NAME), *_OTHER_NAME.items()]}


@dataclass(frozen=True)
class Licence:
    """What one copyright file tells: an expression, and the texts of the licences in it that SPDX has no name for, by
    the references that stand for them."""

    expression: str = UNKNOWN
    texts: Mapping[str, str] = field(default_factory=dict)


def licence(copyright_file: str) -> Licence:
    """The licences of all files that a copyright file is about; none are known where it is made for people only."""
    paragraphs = list(deb822.paragraphs(copyright_file))
    if not paragraphs or _FORMAT not in paragraphs[0].get("Format", ""):
        return Licence()
    texts = dict(_texts(paragraphs))
    names = {synopsis for item in paragraphs if "Files" in item and (synopsis := _synopsis(item))}
    names = names or {synopsis for item in paragraphs[:1] if (synopsis := _synopsis(item))}
    references: dict[str, str] = {}
    expressions = sorted({_expression(name, texts, references) for name in names})
    if not expressions:
        return Licence()
    joined = [f"({item})" if " OR " in item and len(expressions) > 1 else item for item in expressions]
    return Licence(" AND ".join(joined), references)


def _texts(paragraphs: list[dict[str, str]]) -> Iterator[tuple[str, str]]:
    """The text of each licence by its name, which the licence of some files may have with it or may not."""
    for item in paragraphs:
        name, _, text = item.get("License", "").partition("\n")
        if text:
            yield name.strip(), text


def _synopsis(paragraph: Mapping[str, str]) -> str:
    return " ".join(paragraph.get("License", "").partition("\n")[0].split())


def _expression(text: str, texts: Mapping[str, str], references: dict[str, str]) -> str:
    """`and` binds more than `or`, and a comma before one of them less than either."""
    parts = re.split(r", (and|or) ", text, maxsplit=0, flags=re.IGNORECASE)
    joined = _choices(parts[0], texts, references)
    for operator, part in zip(parts[1::2], parts[2::2], strict=True):
        joined = f"{_grouped(joined)} {operator.upper()} {_grouped(_choices(part, texts, references))}"
    return joined


def _choices(text: str, texts: Mapping[str, str], references: dict[str, str]) -> str:
    choices = re.split(r" or ", text, flags=re.IGNORECASE)
    every = (re.split(r" and ", choice, flags=re.IGNORECASE) for choice in choices)
    return " OR ".join(" AND ".join(_name(name.strip(), texts, references) for name in names) for names in every)


def _grouped(expression: str) -> str:
    return f"({expression})" if " " in expression else expression


def _name(name: str, texts: Mapping[str, str], references: dict[str, str]) -> str:
    """The name that SPDX has for a licence, or a reference to its text."""
    known = _SPDX.get(name.lower()) or _gnu(name)
    if known:
        return known
    text = texts.get(name) or f"The copyright file calls it {name}."
    reference = f"LicenseRef-{re.sub('[^A-Za-z0-9.]+', '-', name)}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    references[reference] = text
    return reference


def _gnu(name: str) -> str:
    match = _GNU.fullmatch(name)
    if not match:
        return ""
    family, major, minor, later = match.groups()
    return f"{family}-{major}.{minor or 0}-{'or-later' if later else 'only'}"

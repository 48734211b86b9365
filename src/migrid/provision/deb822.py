"""Debian's control files, as deb822(5) has them: paragraphs of fields."""

from __future__ import annotations

import re
from collections.abc import Iterator


def paragraphs(text: str) -> Iterator[dict[str, str]]:
    """The paragraphs that have fields. Each line of a value that follows its first one is without its indent, and empty
    where it is a dot; a line that no field begins is left out."""
    for paragraph in re.split(r"\n[ \t]*\n", text.replace("\r\n", "\n")):
        fields: dict[str, str] = {}
        name = ""
        for line in paragraph.splitlines():
            if line[:1] in (" ", "\t"):
                if name:
                    fields[name] += "\n" + ("" if line.strip() == "." else line[1:].rstrip())
            elif ":" in line and not line.startswith("#"):
                name, _, value = line.partition(":")
                fields[name] = value.strip()
        if fields:
            yield fields

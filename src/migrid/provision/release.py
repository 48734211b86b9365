"""The name of what a checkout would install on hosts."""

from __future__ import annotations

import hashlib
from pathlib import Path

PARTS = ("pyproject.toml", "src/migrid")


def release_id(checkout: Path) -> str:
    """Twelve hexadecimal digits that change with every file that goes into the package.

    Raises:
        FileNotFoundError: ``checkout`` is not a checkout of this project.
    """
    digest = hashlib.sha256()
    for path in sorted(_files(checkout)):
        digest.update(f"{path.relative_to(checkout)}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _files(checkout: Path) -> list[Path]:
    found = [checkout / PARTS[0], *(checkout / PARTS[1]).rglob("*.py")]
    if len(found) == 1:
        raise FileNotFoundError(f"{checkout} holds no {PARTS[1]}")
    return found

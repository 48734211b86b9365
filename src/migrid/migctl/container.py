"""Which container this is. Its id is what no other has, on any grid, so that it tells which grid this is."""

from __future__ import annotations

import re
from pathlib import Path

from .errors import PlaceError

MOUNTS = Path("/proc/self/mountinfo")

_ID = re.compile(r"containers/([0-9a-f]{64})/")
_OF_THE_ENGINE = ("/etc/hostname", "/etc/hosts", "/etc/resolv.conf")


def own_id(mounts: Path = MOUNTS) -> str:
    """The id of the container that this process runs in, from the files that its engine mounts (proc(5), mountinfo).

    Raises PlaceError when it runs in none, or in one whose engine does not say so there.
    """
    fields = (line.split(" ") for line in mounts.read_text(encoding="utf-8", errors="replace").splitlines())
    roots = [field[3] for field in fields if len(field) > 4 and field[4] in _OF_THE_ENGINE]
    found: set[str] = {each for root in roots for each in _ID.findall(root)[-1:]}
    if len(found) != 1:
        raise PlaceError(
            "This is no container of Docker's engine, or not one that can be known: MIGCTL runs as a service of the"
            " application that it moves."
        )
    return found.pop()

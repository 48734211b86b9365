"""The forced command of the tests: the real gate for owners, before a grid with a model engine."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from migrid.grid.owners.gate import OwnerGate
from migrid.grid.state import State


def main() -> int:
    place, owner = Path(sys.argv[1]), sys.argv[2]
    return OwnerGate(owner, State(place / "state", place / "etc")).serve(os.environ.get("SSH_ORIGINAL_COMMAND", ""))


if __name__ == "__main__":
    sys.exit(main())

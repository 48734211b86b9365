"""The forced command of the tests' sshd before a grid with a model engine: the real gate and the real verbs."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from migrid.grid.opening import open_source
from migrid.grid.peers.gate import Gate
from migrid.grid.state import State


def main() -> int:
    place, peer = Path(sys.argv[1]), sys.argv[2]
    state = State(place / "state", place / "etc")
    return Gate(peer, state, open_source(state)).serve(os.environ.get("SSH_ORIGINAL_COMMAND", ""))


if __name__ == "__main__":
    sys.exit(main())

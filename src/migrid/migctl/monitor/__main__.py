"""`python3 -m migrid.migctl.monitor MOVE`: what the container of a monitor runs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ...grid.errors import GridError
from ...grid.monitors import PORT
from ...grid.state import ROOT, State
from .application import build, monitor_of
from .serving import serve


def main() -> int:
    """Answer until it is ended; 1 when there is nothing to answer with."""
    args = _parser().parse_args()
    try:
        monitor = monitor_of(State(args.state), args.move)
        serve(build(monitor), monitor.secrets, args.port)
    except (GridError, OSError, ValueError) as error:
        print(f"monitor: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="migrid.migctl.monitor", description=__doc__)
    parser.add_argument("move", metavar="MOVE")
    parser.add_argument("--state", metavar="DIRECTORY", type=Path, default=ROOT)
    parser.add_argument("--port", type=int, default=PORT)
    return parser


if __name__ == "__main__":
    sys.exit(main())

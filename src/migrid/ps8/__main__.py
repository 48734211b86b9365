"""PS8, the port switch: leads what comes in to the services of an application, by protocol and port."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from .errors import PropertiesError, SwitchError
from .service import Source, explain, run

FILE = Path("/etc/ps8/properties")
WRONG_PROPERTIES = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run the port switch, or say what it would do; the exit status: 0 done, 1 failed, 2 wrong properties."""
    args = _parser().parse_args(argv)
    logging.basicConfig(level=logging.WARNING if args.check else logging.INFO, format="ps8: %(message)s")
    source = Source(os.environ, args.properties)
    try:
        if args.check:
            print(explain(source), end="")
        else:
            run(source)
    except SwitchError as error:
        print(f"ps8: {error}".replace("\n", "\nps8: "), file=sys.stderr)
        return WRONG_PROPERTIES if isinstance(error, PropertiesError) else 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="ps8", description=__doc__)
    parser.add_argument(
        "--properties",
        metavar="FILE",
        type=Path,
        default=FILE,
        help="lines name=value, which win over the environment and may change at any time (default: %(default)s)",
    )
    parser.add_argument("--check", action="store_true", help="print the rules that the properties lead to, and end")
    return parser


if __name__ == "__main__":
    sys.exit(main())

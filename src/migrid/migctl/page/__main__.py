"""`python -m migrid.migctl.page`: what the container of MIGCTL runs. It writes the properties and becomes Apache."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import NoReturn

from ...grid.errors import GridError
from .. import properties, tls
from ..errors import PropertiesError
from ..opening import CONFIG, STATE
from .apache import configuration

RUN = Path("/run")
SHELL_FILE = "applogic.sh"
WRONG_PROPERTIES = 2


def main() -> NoReturn:
    """Ends with status 1 when the page cannot begin, with 2 for wrong properties."""
    args = _parser().parse_args()
    try:
        path = prepare(args.config, args.run)
    except (GridError, OSError) as error:
        print(f"migctl: {error}".replace("\n", "\nmigctl: "), file=sys.stderr)
        sys.exit(WRONG_PROPERTIES if isinstance(error, PropertiesError) else 1)
    os.execvp("apache2", ["apache2", "-D", "FOREGROUND", "-f", str(path)])  # noqa: S606, S607 -- in the image


def prepare(config: Path, run: Path) -> Path:
    """Write the properties for shells, and what the server needs; its configuration. Raises PropertiesError,
    MigctlError, OSError."""
    chosen = properties.read(os.environ)
    properties.write(run / SHELL_FILE, chosen)
    path = run / "httpd.conf"
    path.write_text(configuration(chosen, tls.make_sure(config, config / STATE), run), encoding="utf-8")
    return path


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="migrid.migctl.page", description=__doc__)
    parser.add_argument("--config", metavar="DIRECTORY", type=Path, default=CONFIG, help="the config volume")
    parser.add_argument("--run", metavar="DIRECTORY", type=Path, default=RUN, help="for what exists only while it runs")
    return parser


if __name__ == "__main__":
    main()

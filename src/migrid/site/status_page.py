"""The status of a site as a web page: index.html, status.css and status.json in one directory.

The page has no script, no inline style and no resource from elsewhere, so that a content security policy of
`default-src 'none'; style-src 'self'` shows it as it is.
"""

from __future__ import annotations

import json
from html import escape
from pathlib import Path

from .errors import MigError
from .status import Result, Status

PAGE_MODE = 0o644

CSS = """\
:root {
  color-scheme: light dark;
  --back: #f6f7f9; --card: #fff; --text: #1b2430; --soft: #57606c; --line: #d9dee5;
  --up: #14703a; --up-back: #dff3e5; --down: #a3161f; --down-back: #fbe3e4;
}
@media (prefers-color-scheme: dark) {
  :root {
    --back: #12161c; --card: #1b2129; --text: #e8ecf1; --soft: #a3adb9; --line: #323b47;
    --up: #7fdca0; --up-back: #143722; --down: #ff9a9f; --down-back: #47191d;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--text); font: 1rem/1.5 system-ui, sans-serif; }
main { max-width: 46rem; margin: 0 auto; padding: 2.5rem 1rem; }
h1 { margin: 0; font-size: 1.6rem; line-height: 1.25; overflow-wrap: anywhere; }
.checked { margin: .25rem 0 1.5rem; color: var(--soft); }
.summary { margin: 0 0 1.5rem; padding: .85rem 1rem; border-radius: .5rem; font-weight: 600; }
.up { color: var(--up); }
.down { color: var(--down); }
.summary.up { background: var(--up-back); }
.summary.down { background: var(--down-back); }
.services { overflow-x: auto; border: 1px solid var(--line); border-radius: .5rem; background: var(--card); }
table { width: 100%; border-collapse: collapse; }
caption { padding: .85rem 1rem 0; text-align: left; font-weight: 600; }
th, td { padding: .6rem 1rem; text-align: left; vertical-align: top; }
tbody tr { border-top: 1px solid var(--line); }
thead th { color: var(--soft); font-size: .875rem; font-weight: 500; }
tbody th { font-weight: 600; }
td { overflow-wrap: anywhere; }
td.state { white-space: nowrap; font-weight: 600; }
footer { margin-top: 1.5rem; color: var(--soft); font-size: .875rem; }
a { color: inherit; }
"""

HTML = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}: {summary}</title>
<link rel="stylesheet" href="status.css">
</head>
<body>
<main>
<h1>{title}</h1>
<p class="checked">Checked <time datetime="{iso}">{time} UTC</time></p>
<p class="summary {state}" role="status">{summary}</p>
<div class="services">
<table>
<caption>Services</caption>
<thead><tr><th scope="col">Service</th><th scope="col">State</th><th scope="col">Address</th>\
<th scope="col">Answer</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
</div>
<footer>If the time above is more than a few minutes ago, the check itself has stopped.
For programs: <a href="status.json">status.json</a></footer>
</main>
</body>
</html>
"""

ROW = """\
<tr><th scope="row">{name}</th>\
<td class="state {state}"><span aria-hidden="true">{sign}</span> {state}</td>\
<td>{address}</td><td>{detail}</td></tr>"""


def write(status: Status, directory: Path) -> None:
    """Renew the page; a reader sees the old or the new file, never a part of one. Raises MigError."""
    files = {
        "status.css": CSS,
        "status.json": json.dumps(status.as_dict(), ensure_ascii=False, indent=2) + "\n",
        "index.html": render(status),
    }
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            _replace(directory / name, text)
    except OSError as error:
        raise MigError(f"cannot write the status page to {directory}: {error.strerror}") from error


def render(status: Status) -> str:
    """The page as HTML."""
    return HTML.format(
        title=escape(status.title),
        iso=status.checked.isoformat(timespec="seconds"),
        time=f"{status.checked:%Y-%m-%d %H:%M:%S}",
        state=_state(status.up),
        summary=escape(_summary(status)),
        rows="\n".join(map(_row, status.services)),
    )


def _summary(status: Status) -> str:
    down = [result.name for result in status.services if not result.up]
    if not status.services:
        return "No service is switched on"
    return f"Down: {', '.join(down)}" if down else "All services are up"


def _row(result: Result) -> str:
    return ROW.format(
        name=escape(result.name),
        state=_state(result.up),
        sign="✓" if result.up else "✗",
        address=escape(f"{result.protocol}://{result.host}:{result.port}"),
        detail=escape(result.detail),
    )


def _state(up: bool) -> str:
    return "up" if up else "down"


def _replace(path: Path, text: str) -> None:
    new = path.with_name(f".{path.name}.new")
    new.write_text(text, encoding="utf-8")
    new.chmod(PAGE_MODE)
    new.replace(path)

"""curl as a browser."""

from __future__ import annotations

import html
import re
import subprocess
from pathlib import Path
from typing import Any

Answer = subprocess.CompletedProcess[str]


def form_token(page: Answer) -> str:
    """What a form of the portal must hold; empty if the page has none."""
    found = re.search(r'name="form_token" value="([0-9a-f]+)"', page.stdout)
    return found[1] if found else ""


class Browser:
    """Follows redirects, keeps cookies and sends forms."""

    def __init__(self, site: Any, jar: Path) -> None:
        self._site = site
        self._jar = jar

    def open(self, url: str, *options: str) -> Answer:
        """The page, with its last address in the last line."""
        cookies = ["--cookie", str(self._jar), "--cookie-jar", str(self._jar)]
        answer: Answer = self._site.get(url, "--location", *cookies, "--write-out", "\n%{url_effective}", *options)
        return answer

    def send(self, page: Answer, **fields: str) -> Answer:
        """Fill in the first form of a page and send it."""
        address = page.stdout.splitlines()[-1]
        form = re.search(r'<form method="post" action="([^"]*)">(.*?)</form>', page.stdout, re.DOTALL)
        assert form, page.stdout
        hidden = re.findall(r'type="hidden" name="([^"]*)" value="([^"]*)"', form[2])
        values = {name: html.unescape(value) for name, value in hidden} | fields
        options = [word for name, value in values.items() for word in ("--data-urlencode", f"{name}={value}")]
        origin = re.match(r"https://[^/]+", address)
        assert origin
        return self.open(origin[0] + html.unescape(form[1]), *options)

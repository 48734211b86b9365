#!/usr/bin/env python3
"""Measure a site's pages against a bare page of mod_wsgi and a static file, in an Apache on the same host.

    .venv/bin/python bench/portal.py [-i INVENTORY] [--host NAME] [--seconds 8] [--mib 512]

The site is the one that build/site.json describes; use one where nobody works meanwhile. Needs h2load, of the package
nghttp2-client. The dashboard, a listing of 1,000 files and a file of the user are asked for by 8 clients over HTTP/1.1
that stay connected; the page and the file of the other Apache take turns with them. Ansible reaches the host to start
that Apache; it, and the user and all files of the measurement, are gone when it ends. The last lines are the memory of
the site's daemons, all together and each page of memory counted once.
"""

from __future__ import annotations

import argparse
import html
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from access_site import Host, Measured, site_of

CLIENTS = 8
ENTRIES = 1000
GOAL_STATIC, GOAL_LARGE, GOAL_MEMORY = 0.3, 0.8, 250
MIB = 1 << 20
FINISHED = re.compile(r"finished in .*?, ([0-9.]+) req/s")
FAILED = re.compile(r"status codes: (\d+) 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx")


@dataclass(frozen=True)
class Browser:
    """A user who has logged in with the password."""

    name: str
    address: str
    ca: str
    jar: Path

    def open(self, url: str, *options: str) -> str:
        """The page, with its last address in the last line. Ends the program when there is none."""
        trusted = ["--cacert", self.ca, "--resolve", f"{self.name}:443:{self.address}"]
        cookies = ["--cookie", str(self.jar), "--cookie-jar", str(self.jar)]
        command = ["curl", "--silent", "--show-error", "--fail", "--location", *trusted, *cookies, *options]
        done = subprocess.run(
            [*command, "--write-out", "\n%{url_effective}", url], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            sys.exit(f"{url}: {done.stderr}")
        return done.stdout

    def log_in(self, user: Measured) -> None:
        page = self.open(self.url("dashboard.py"))
        form = re.search(r'<form method="post" action="([^"]*)">(.*?)</form>', page, re.DOTALL)
        if not form:
            sys.exit("there is no login page")
        fields = dict(re.findall(r'type="hidden" name="([^"]*)" value="([^"]*)"', form[2]))
        values = {name: html.unescape(value) for name, value in fields.items()}
        values |= {"login": user.login, "password": user.password}
        data = [word for name, value in values.items() for word in ("--data-urlencode", f"{name}={value}")]
        self.open(f"https://{self.name}{html.unescape(form[1])}", *data)

    def url(self, page: str) -> str:
        return f"https://{self.name}/wsgi-bin/{page}"

    @property
    def cookies(self) -> str:
        lines = [line.removeprefix("#HttpOnly_").split("\t") for line in self.jar.read_text().splitlines()]
        return "; ".join(f"{fields[5]}={fields[6]}" for fields in lines if len(fields) == 7)

    @property
    def form_token(self) -> str:
        found = re.search(r'name="form_token" value="([^"]*)"', self.open(self.url("fileman.py")))
        if not found:
            sys.exit("the page of files has no form")
        return found[1]


@dataclass(frozen=True)
class Rate:
    """Answers per second, and the time within which 99 of 100 come, in milliseconds."""

    per_second: float
    slow: float


def asked(url: str, address: str, seconds: int, directory: Path, *headers: str) -> Rate:
    """Let the clients ask for a page all the time."""
    log = directory / "h2load.log"
    log.unlink(missing_ok=True)
    named = [word for header in headers for word in ("--header", header)]
    port = re.match(r"https://[^/]+?(?::(\d+))?/", url)
    reached = f"--connect-to={address}:{(port and port[1]) or 443}"
    command = ["h2load", "--h1", f"--clients={CLIENTS}", f"--duration={seconds}", f"--log-file={log}", reached, *named]
    report = subprocess.run([*command, url], capture_output=True, text=True, check=False).stdout
    finished, codes = FINISHED.search(report), FAILED.search(report)
    if not finished or not codes or int(codes[1]) == 0 or any(int(codes[index]) for index in (2, 3, 4)):
        sys.exit(f"{url}: {report}")
    times = sorted(int(line.split("\t")[2]) for line in log.read_text().splitlines())
    return Rate(float(finished[1]), times[int(len(times) * 0.99)] / 1000)


def compare_pages(browser: Browser, user: Measured, seconds: int, directory: Path) -> None:
    """Print the rates, the pages as a part of the bare ones."""
    cookie = f"Cookie: {browser.cookies}"
    other = f"https://{browser.address}:{user.ports['apache']}"
    pages = {
        "hello": (f"{other}/hello", "hello", None),
        "dashboard": (browser.url("dashboard.py"), "hello", None),
        f"{ENTRIES:,} files": (browser.url("fileman.py?path=many"), "hello", None),
        "static": (f"{other}/static/file", "static", None),
        "user's file": (browser.url("cat.py?path=file"), "static", GOAL_STATIC),
    }
    rates = {
        name: [asked(url, browser.address, seconds, directory, cookie) for _ in range(2)]
        for name, (url, _, _) in pages.items()
    }
    best = {name: max(found, key=lambda rate: rate.per_second) for name, found in rates.items()}
    print(f"{f'{CLIENTS} clients':24} {'per second':>10} {'p99 ms':>8} {'of the bare one':>16}")
    for name, (_, bare, goal) in pages.items():
        rate, part = best[name], best[name].per_second / best[bare].per_second
        said = "" if goal is None else f"  {verdict(part >= goal)} (goal >= {goal})"
        print(f"  {name:22} {rate.per_second:10.0f} {rate.slow:8.1f} {part:16.2f}{said}", flush=True)


def compare_transfers(browser: Browser, user: Measured, mib: int, directory: Path) -> None:
    """Print the seconds of a large file in and out, beside nginx."""
    file = directory / "large"
    with file.open("wb") as output:
        for _ in range(mib):
            output.write(os.urandom(MIB))
    token = ["--header", f"X-Form-Token: {browser.form_token}"]
    peer = f"https://{browser.address}:{user.ports['nginx']}/data/large"
    known = ["--insecure", "--user", "bench:bench"]
    ways = {
        "up": (
            ["--upload-file", str(file), *token, browser.url("upload.py?path=large&replace=1")],
            ["--upload-file", str(file), *known, peer],
        ),
        "down": (["--output", os.devnull, browser.url("cat.py?path=large")], ["--output", os.devnull, *known, peer]),
    }
    print(f"{'seconds':24} {'site':>10} {'nginx':>8} {'speed':>8}")
    for name, commands in ways.items():
        ours, theirs = ([seconds_of(browser, command) for _ in range(3)] for command in commands)
        ratio = min(theirs) / min(ours)
        medians = f"{statistics.median(ours):10.2f} {statistics.median(theirs):8.2f} {ratio:8.2f}"
        title = f"{mib} MiB, {name}"
        print(f"  {title:22} {medians}  {verdict(ratio >= GOAL_LARGE)} (goal >= {GOAL_LARGE})", flush=True)


def seconds_of(browser: Browser, command: list[str]) -> float:
    began = time.perf_counter()
    browser.open(command[-1], *command[:-1])
    return time.perf_counter() - began


def verdict(good: bool) -> str:
    return "ok" if good else "MISSED"


def print_memory(host: Host) -> None:
    """Print what the daemons of the site take."""
    sizes = {line.split()[1]: int(line.split()[2]) for line in host.run("memory").splitlines() if "PSS" in line}
    total = sum(sizes.values())
    parts = ", ".join(f"{name} {size}" for name, size in sizes.items())
    print(f"memory in MiB: {parts}; together {total}  {verdict(0 < total < GOAL_MEMORY)} (goal < {GOAL_MEMORY})")


def fill(browser: Browser, directory: Path) -> None:
    """Put files into the home: one, and many in a folder."""
    token = browser.form_token
    browser.open(browser.url("mkdir.py"), "--data", f"form_token={token}&path=&name=many")
    (directory / "file").write_bytes(os.urandom(4096))
    (directory / "names").mkdir()
    put = ["--header", f"X-Form-Token: {token}"]
    browser.open(browser.url("upload.py?path=file"), *put, "--upload-file", str(directory / "file"))
    for start in range(0, ENTRIES, 100):
        files = [directory / "names" / f"{number:04}.txt" for number in range(start, start + 100)]
        for file in files:
            file.write_text("x", encoding="ascii")
        forms = [word for file in files for word in ("--form", f"files=@{file}")]
        browser.open(browser.url("upload.py?path=many"), "--form", f"form_token={token}", *forms)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=int, default=8, help="how long each page is asked for")
    parser.add_argument("--mib", type=int, default=512, help="size of the large file")
    options, host, summary = site_of(parser)
    way_in = summary["virtual_hosts"]["mig_oidc"]
    with host.measured() as user, tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        directory = Path(name)
        browser = Browser(way_in["name"], way_in["address"], summary["ca_file"], directory / "cookies")
        browser.log_in(user)
        fill(browser, directory)
        compare_pages(browser, user, options.seconds, directory)
        compare_transfers(browser, user, options.mib, directory)
        print_memory(host)


if __name__ == "__main__":
    main()

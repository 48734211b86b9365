"""Print what passed and what failed.

Each check that bin/test noted counts one, and so does each test in a report of pytest. What a check that failed says of
its failure comes again at the end, where it is found without reading all.
"""

import re
import sys
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
FAILURE_BEGINS = re.compile(r"=+ (?:ERRORS|FAILURES) =+|fatal: \[")
FAILURE_ENDS = re.compile(r"\d (?:failed|errors?)\b.* in \d|Return code:")
LONGEST_EXCERPT = 80


class Count(NamedTuple):
    passed: int
    failed: int


class Check(NamedTuple):
    title: str
    passed: bool
    output: Path


def checks(reports: Path) -> list[Check]:
    """Read what bin/test noted: a line per check, with its outcome, its output's name in `reports`, and its title."""
    lines = (reports / "checks").read_text(encoding="utf-8").splitlines()
    noted = (line.split(" ", 2) for line in lines)
    return [Check(title, outcome == "passed", reports / output) for outcome, output, title in noted]


def pytest_count(report: Path) -> Count:
    suites = list(ElementTree.parse(report).getroot().iter("testsuite"))  # noqa: S314
    total, failed, skipped = (
        sum(int(suite.attrib[key]) for suite in suites for key in keys)
        for keys in (["tests"], ["failures", "errors"], ["skipped"])
    )
    return Count(total - failed - skipped, failed)


def shortened(lines: list[str]) -> list[str]:
    """Leave out the middle of a long excerpt: assertions are at its beginning, pytest's list of failures at its end."""
    if len(lines) <= LONGEST_EXCERPT:
        return lines
    half = LONGEST_EXCERPT // 2
    return [*lines[:half], f"... {len(lines) - 2 * half} lines left out ...", *lines[-half:]]


def excerpt(output: Path) -> list[str]:
    """Return the lines that tell of the last failure in a check's output, or its last lines where none is marked."""
    lines = COLOUR.sub("", output.read_text(encoding="utf-8", errors="replace")).splitlines()
    first = max((number for number, line in enumerate(lines) if FAILURE_BEGINS.search(line)), default=None)
    if first is None:
        return lines[-LONGEST_EXCERPT // 2 :]
    ends = (number for number, line in enumerate(lines) if number > first and FAILURE_ENDS.search(line))
    return shortened(lines[first : next(ends, len(lines)) + 1])


def main(reports: Path) -> int:
    noted = checks(reports)
    tests = [pytest_count(report) for report in reports.glob("*.xml")]
    failures = [check for check in noted if not check.passed]
    for check in failures:
        print(f"\n== {check.title} failed; all of its output: {check.output}", *excerpt(check.output), sep="\n")
    passed = len(noted) - len(failures) + sum(test.passed for test in tests)
    failed = len(failures) + sum(test.failed for test in tests)
    print(f"\n{passed} passed, {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

"""Print what passed and what failed.

Each check that bin/test noted counts one, and so does each test in a report of pytest.
"""

import sys
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree


class Count(NamedTuple):
    passed: int
    failed: int


def pytest_count(report: Path) -> Count:
    suites = list(ElementTree.parse(report).getroot().iter("testsuite"))  # noqa: S314
    total, failed, skipped = (
        sum(int(suite.attrib[key]) for suite in suites for key in keys)
        for keys in (["tests"], ["failures", "errors"], ["skipped"])
    )
    return Count(total - failed - skipped, failed)


def count(reports: Path) -> Count:
    checks = [line.split(" ", 1)[0] for line in (reports / "checks").read_text(encoding="utf-8").splitlines()]
    tests = [pytest_count(report) for report in reports.glob("*.xml")]
    return Count(
        checks.count("passed") + sum(test.passed for test in tests),
        checks.count("failed") + sum(test.failed for test in tests),
    )


if __name__ == "__main__":
    result = count(Path(sys.argv[1]))
    print(f"\n{result.passed} passed, {result.failed} failed")
    sys.exit(result.failed > 0)

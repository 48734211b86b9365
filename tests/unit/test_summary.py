"""The end of bin/test's output says what failed, and why."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SUMMARY = Path(__file__).parents[2] / "bin/lib/summary.py"

SAMPLE_TESTS = """
import pytest

@pytest.fixture
def host():
    raise RuntimeError("the sample host is gone")

def test_sum():
    assert 1 + 1 == 3

def test_host(host):
    pass

def test_order():
    pass
"""

PLAY = """
TASK [sample : Try once] ****
fatal: [sample-host]: FAILED! => {"msg": "this was expected"}
...ignoring
TASK [sample : Begin] ****
\x1b[0;31mfatal: [sample-host]: FAILED! => {"msg": "no space on the sample disk"}\x1b[0m
PLAY RECAP ****
Return code: 2
Destroy the hosts
"""


def summary(reports: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, SUMMARY, reports], capture_output=True, text=True, check=False)


def note(reports: Path, outcome: str, title: str, output: str) -> None:
    (reports / f"{title}.log").write_text(output, encoding="utf-8")
    with (reports / "checks").open("a", encoding="utf-8") as checks:
        checks.write(f"{outcome} {title}.log the {title}\n")


def run_pytest(reports: Path) -> str:
    (reports / "test_sample.py").write_text(SAMPLE_TESTS, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--junit-xml=unit.xml", "test_sample.py"]
    return subprocess.run(command, cwd=reports, capture_output=True, text=True, check=False).stdout


def test_tests_that_failed_are_named_with_their_errors(tmp_path: Path) -> None:
    note(tmp_path, "failed", "units", run_pytest(tmp_path))
    said = summary(tmp_path)
    assert said.returncode == 1
    assert "assert (1 + 1) == 3" in said.stdout
    assert "ERROR test_sample.py::test_host - RuntimeError: the sample host is gone" in said.stdout
    assert said.stdout.endswith("\n1 passed, 3 failed\n")


def test_the_last_failed_task_is_shown_without_what_follows(tmp_path: Path) -> None:
    note(tmp_path, "failed", "hosts", PLAY)
    said = summary(tmp_path).stdout
    assert "the hosts failed" in said
    assert '\nfatal: [sample-host]: FAILED! => {"msg": "no space on the sample disk"}\n' in said
    assert "this was expected" not in said
    assert "Destroy" not in said


def test_other_output_is_shown_from_its_end(tmp_path: Path) -> None:
    note(tmp_path, "failed", "types", "".join(f"line {number}\n" for number in range(500)))
    said = summary(tmp_path).stdout
    assert "line 499\n" in said
    assert len(said.splitlines()) < 60


def test_what_passed_is_not_repeated(tmp_path: Path) -> None:
    note(tmp_path, "passed", "hosts", PLAY)
    said = summary(tmp_path)
    assert said.returncode == 0
    assert said.stdout == "\n1 passed, 0 failed\n"

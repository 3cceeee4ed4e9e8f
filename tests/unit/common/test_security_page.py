"""The page of threats names tests that exist, and has the subjects that it is for."""

import re
import subprocess

from tests.support.databases import ROOT

PAGE = (ROOT / "docs/security.md").read_text()


def test_each_test_that_the_page_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    listed = subprocess.run(
        ["git", "grep", "--untracked", "-hoE", r"def test_\w+", "--", "tests"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    missing = named - {line.removeprefix("def ") for line in listed.stdout.splitlines()}
    assert missing == set()
    assert len(named) > 60


def test_each_threat_names_a_test() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| Threat")]
    assert len(rows) > 25
    assert [row for row in rows if "`test_" not in row] == []

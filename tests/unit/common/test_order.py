"""The random order of the tests: what shares fixtures stays together, and a seed makes it come again."""

import os
import subprocess
import sys
from itertools import groupby
from pathlib import Path

import pytest

from deploy.local.layout import ROOT

pytestmark = pytest.mark.unit

FOLDERS, MODULES = ("a", "b", "b/c"), ("test_1.py", "test_2.py", "test_3.py")


def ordered(folder: Path, *, seed: int) -> list[str]:
    """The tests as they would run."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "--collect-only",
            "-q",
            "--import-mode=importlib",
            "-p",
            "tests.support.order",
        ],
        cwd=folder,
        env=os.environ
        | {
            "PYTHONPATH": str(ROOT),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTEST_SEED": str(seed),
            "PYTEST_ADDOPTS": "",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [line for line in done.stdout.splitlines() if "::" in line]


def test_folders_and_their_modules_stay_together(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = late\n")
    for name in FOLDERS:
        (tmp_path / name).mkdir(parents=True)
        for module in MODULES:
            (tmp_path / name / module).write_text("def test_a(): ...\n\ndef test_b(): ...\n")
    orders = {seed: ordered(tmp_path, seed=seed) for seed in (1, 2, 3)}
    for found in orders.values():
        assert len(set(found)) == len(found) == 18
        assert len(list(groupby(found, key=lambda test: test.rpartition("/")[0]))) == len(FOLDERS)
        assert len(list(groupby(found, key=lambda test: test.partition("::")[0]))) == len(FOLDERS) * len(MODULES)
    assert len({tuple(found) for found in orders.values()}) == 3
    assert ordered(tmp_path, seed=1) == orders[1]

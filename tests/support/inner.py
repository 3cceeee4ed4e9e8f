"""pytest in a process of its own, on one file that a test has written, with the deadlines of the suite."""

import os
import subprocess
import sys
from pathlib import Path

from deploy.local import results
from deploy.local.layout import ROOT
from tests.support import deadlines

LOOP = """
import pytest, uvloop

@pytest.fixture(scope="session")
def _asyncio_loop_factory():
    return uvloop.new_event_loop
"""


def run(folder: Path, name: str, text: str, *options: str, seconds: str = "300") -> results.Ended:
    """Run a file with this text; its results are in the folder too, as those of a part of the suite with this name."""
    (folder / "conftest.py").write_text(LOOP)
    (folder / f"test_{name}.py").write_text(text)
    plugins = [word for each in ("pytest_asyncio.plugin", "tests.support.deadlines") for word in ("-p", each)]
    scopes = [f"asyncio_default_{each}_loop_scope=session" for each in ("fixture", "test")]
    settings = [word for each in ("addopts=", "asyncio_mode=auto", *scopes) for word in ("-o", each)]
    files = [f"--rootdir={folder}", f"--junitxml={folder / name}.xml", str(folder / f"test_{name}.py")]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *plugins, *settings, *options, *files],
        cwd=folder,
        env={
            **os.environ,
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTHONPATH": f"{ROOT}:{folder}",
            deadlines.SECONDS: seconds,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return results.Ended(name, done.returncode, done.stdout + done.stderr)

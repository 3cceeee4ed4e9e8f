"""What a service names in its log when it starts."""

import json
import os
import subprocess
import sys

import pytest

from deploy.local.environment import placeholder_environment
from tests.support.platform import ROOT

pytestmark = pytest.mark.unit

STARTED = """
from types import SimpleNamespace
from libs.common.service import main
from services.notifier.settings import Settings
main(service="notifier", settings=Settings, build=lambda _: SimpleNamespace(serve=lambda: print("serving")))
"""


@pytest.mark.parametrize("name", ["WEBHOOK_RETRIES_ALTOGETHER", "NOTIFIER_COLOUR"])
def test_unknown_setting_is_named_at_start(name: str) -> None:
    run = subprocess.run(
        [sys.executable, "-c", STARTED, "serve"],
        cwd=ROOT,
        env=os.environ | placeholder_environment() | {name: "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    *lines, serving = run.stdout.splitlines()
    assert serving == "serving"
    (warning,) = [line for line in map(json.loads, lines) if line["event"] == "setting.unknown"]
    assert (warning["level"], warning["service"]) == ("warning", "notifier")
    assert warning["reason"].startswith(f"{name} is no setting and nothing reads it; the nearest name of one is ")

"""A private Prometheus is given each service's own token, and replaces nobody but itself."""

import signal
import subprocess
from pathlib import Path

import yaml

from deploy.local.native import prometheus
from deploy.local.processes import end, spawn


def test_each_job_that_wants_a_token_has_a_file_of_its_own(tmp_path: Path) -> None:
    watched = prometheus.Watched(
        targets={"payments-api": ["127.0.0.1:1"], "payments-ledger": ["127.0.0.1:2"]},
        tokens={"payments-api": "secret", "payments-ledger": ""},
    )
    written = prometheus.configuration(watched, folder=tmp_path)
    api, ledger = yaml.safe_load(written)["scrape_configs"]
    assert api["authorization"] == {"credentials_file": str(tmp_path / "payments-api")}
    assert "authorization" not in ledger
    assert "secret" not in written


def test_who_merely_stands_in_its_folder_is_not_ours(tmp_path: Path) -> None:
    folder = tmp_path / "prometheus"
    folder.mkdir()
    with subprocess.Popen(["sleep", "600"], cwd=folder) as stranger:
        ours = spawn(["sleep", "600"], home=tmp_path, log=tmp_path / "log", cwd=folder)
        try:
            assert prometheus.running_in(folder, tmp_path) == [ours]
            assert prometheus.running_in(tmp_path, tmp_path) == []
        finally:
            stranger.kill()
            end([ours], first=signal.SIGTERM, seconds=60.0, whole_group=False)

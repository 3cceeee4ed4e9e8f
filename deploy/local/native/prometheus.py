"""A private Prometheus and Alertmanager that watch this checkout's services, and promtool, which tries rules out.

They are no servers of the platform: nothing waits for them, and they are started only when somebody wants to look. Processes
carry the mark of their profile, so that `down` ends them with its servers.
"""

import http.client
import os
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path

import msgspec
import yaml

from deploy.local import packages
from deploy.local.errors import LocalFailure, failure
from deploy.local.layout import ROOT
from deploy.local.processes import ProcessId, end, marked, spawn, which, working_directory
from deploy.local.waiting import wait_until

OBSERVABILITY = ROOT / "deploy" / "observability"
START_SECONDS = 60.0
STOP_SECONDS = 20.0
ASK_SECONDS = 1.0
KEPT = "15d"
KEPT_BYTES = "512MB"


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """What a Prometheus reads, how often, and whom it sends alerts to."""

    targets: Mapping[str, list[str]]
    """The addresses, host and port, of each job."""
    tokens: Mapping[str, str] = msgspec.field(default_factory=dict)
    """The operations token of each job that wants one."""
    alertmanager: str = ""
    """Host and port; empty: alerts are shown only."""
    every: str = "15s"


def promtool() -> tuple[str, str]:
    """Return the path of promtool, installed first where that is possible, and why there is none where the path is empty."""
    return _program("promtool", "prometheus")


def prometheus() -> tuple[str, str]:
    """Return the path of the server likewise."""
    return _program("prometheus", "prometheus")


def alertmanager() -> tuple[str, str]:
    """Return the path of Alertmanager likewise."""
    return _program("prometheus-alertmanager", "alertmanager")


def configuration(watched: Watched, *, folder: Path) -> str:
    """Return the configuration: the rules and alerts of this repository, and a job for each service, whose token is a file."""
    jobs = [
        {
            "job_name": job,
            "static_configs": [{"targets": targets}],
            **({"authorization": {"credentials_file": str(folder / job)}} if watched.tokens.get(job) else {}),
        }
        for job, targets in watched.targets.items()
    ]
    alerting = [{"static_configs": [{"targets": [watched.alertmanager]}]}] if watched.alertmanager else []
    document = {
        "global": {"scrape_interval": watched.every, "evaluation_interval": watched.every},
        "rule_files": [str(OBSERVABILITY / folder / "*.yml") for folder in ("rules", "alerts")],
        "alerting": {"alertmanagers": alerting},
        "scrape_configs": jobs,
    }
    return yaml.safe_dump(document, sort_keys=False)


def start(folder: Path, watched: Watched, *, program: str, port: int, home: Path) -> ProcessId:
    """Start a Prometheus in a folder; one that runs there already is replaced. Return when it answers.

    Raises:
        LocalFailure: when it does not answer in time.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _replace(folder, home)
    tokens = folder / "tokens"
    tokens.mkdir(mode=0o700, exist_ok=True)
    for job, token in watched.tokens.items():
        (tokens / job).touch(mode=0o600)
        (tokens / job).write_text(token)
    (folder / "prometheus.yml").write_text(configuration(watched, folder=tokens))
    command = [
        program,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--storage.tsdb.retention.time={KEPT}",
        f"--storage.tsdb.retention.size={KEPT_BYTES}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    return _started(command, folder, port=port, home=home, name="Prometheus")


def start_alertmanager(folder: Path, *, program: str, port: int, home: Path) -> ProcessId:
    """Start an Alertmanager in a folder; one that runs there already is replaced. Return when it answers.

    Raises:
        LocalFailure: when it does not answer in time.
    """
    folder.mkdir(parents=True, exist_ok=True)
    _replace(folder, home)
    command = [
        program,
        f"--config.file={OBSERVABILITY / 'alertmanager.yml'}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    return _started(command, folder, port=port, home=home, name="Alertmanager")


def _started(command: list[str], folder: Path, *, port: int, home: Path, name: str) -> ProcessId:
    log = folder / "log"
    process = spawn(command, home=home, log=log, cwd=folder)
    wait_until(lambda: _is_ready(port) or not process.is_alive, seconds=START_SECONDS, poll_seconds=0.1)
    if not process.is_alive or not _is_ready(port):
        end([process], first=signal.SIGTERM, seconds=STOP_SECONDS, whole_group=False)
        raise failure(f"{name} did not start on port {port}.", log=log)
    return process


def _is_ready(port: int) -> bool:
    """Tell whether it says so itself: it listens long before, and answers 503 until it has read what it kept."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ASK_SECONDS)
    try:
        connection.request("GET", "/-/ready")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def running_in(folder: Path, home: Path) -> list[ProcessId]:
    """Return the processes that we started in a folder, not whoever else stands in it."""
    return [process for process in marked(home) if working_directory(process.pid) == folder.resolve()]


def _replace(folder: Path, home: Path) -> None:
    end(running_in(folder, home), first=signal.SIGTERM, seconds=STOP_SECONDS, whole_group=False)


def _program(name: str, package: str) -> tuple[str, str]:
    found = which(name)
    if found:
        return found, ""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return "", packages.instruction([package])
    try:
        packages.install([package], report=print)
    except LocalFailure as failed:
        return "", str(failed)
    return which(name), f"the package {packages.PACKAGES[package]} has no {name}"

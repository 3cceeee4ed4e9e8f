"""Installing the servers' packages where none are: by apt as root, else a sentence that names what to install."""

import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from deploy.local.errors import LocalFailure
from deploy.local.native import pgbackrest, postgres, rabbitmq, redis
from deploy.local.processes import run, which
from deploy.local.waiting import locked

PACKAGES = {
    "postgres": "postgresql",
    "redis": "redis-server",
    "rabbitmq": "rabbitmq-server",
    "pgbouncer": "pgbouncer",
    "prometheus": "prometheus",
    "alertmanager": "prometheus-alertmanager",
    "haproxy": "haproxy",
    "etcd": "etcd-server",
    "hledger": "hledger",
    "pgbackrest": "pgbackrest",
    "chromium": "chromium",
}
"""Debian's and Ubuntu's names. PgBouncer, hledger and Chromium are needed by their own tests only, Prometheus by its tests and by `just up --observe`, etcd by
`just up --profile ha`, HAProxy by both, pgBackRest by backups."""

POLICY = Path("/usr/sbin/policy-rc.d")
"""While this script exits with 101, packages do not start their services when installed (invoke-rc.d(8))."""

APT_SECONDS = 900.0
LOCK = Path("/var/lock/payments-apt.lock")
"""One for the machine: packages are."""


def missing(names: Iterable[str]) -> list[str]:
    """Return the servers, of those named, that are not installed."""
    installed: dict[str, Callable[[], bool]] = {
        "postgres": postgres.is_installed,
        "redis": redis.is_installed,
        "rabbitmq": rabbitmq.is_installed,
        "prometheus": lambda: bool(which("prometheus")),
        "alertmanager": lambda: bool(which("prometheus-alertmanager")),
        "pgbouncer": lambda: bool(which("pgbouncer", "/usr/sbin")),
        "haproxy": lambda: bool(which("haproxy", "/usr/sbin")),
        "etcd": lambda: bool(which("etcd")),
        "hledger": lambda: bool(which("hledger")),
        "pgbackrest": pgbackrest.is_installed,
        "chromium": lambda: bool(which("chromium")),
    }
    return [name for name in names if not installed[name]()]


def instruction(names: Iterable[str]) -> str:
    """Return the sentence that says what to install, by whom, and what would do instead."""
    missing = " ".join(PACKAGES[name] for name in names)
    return (
        f"Not installed: {missing}. As root: apt-get install -y --no-install-recommends {missing}\n"
        "  Or start Docker, or name servers of yours in POSTGRES_ADMIN_URL, REDIS_URL and RABBITMQ_URL."
    )


def install(names: list[str], *, report: Callable[[str], None]) -> None:
    """Install the packages of servers that are missing.

    One process at a time, and by the machine's own clock: on another day the lists of packages are out of date.

    Raises:
        LocalFailure: when we are not root, there is no apt, or apt fails.
    """
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise LocalFailure(instruction(names))
    with locked(LOCK, seconds=2 * APT_SECONDS):
        if absent := missing(names):
            _install(absent, report=report)
    still = missing(names)
    if still:
        raise LocalFailure(f"apt installed the packages, yet no server is found for: {', '.join(still)}.")


def _install(names: list[str], *, report: Callable[[str], None]) -> None:
    packages = [PACKAGES[name] for name in names]
    report(f"Installing {', '.join(packages)} with apt ...")
    env = {name: value for name, value in os.environ.items() if name not in ("LD_PRELOAD", "CLOCK_SHIFT_S")}
    env["DEBIAN_FRONTEND"] = "noninteractive"
    ours = not POLICY.exists()
    if ours:
        POLICY.write_text("#!/bin/sh\nexit 101\n")
        POLICY.chmod(0o755)
    try:
        _apt(["update", "-q"], env)
        _apt(["install", "-y", "-q", "--no-install-recommends", *packages], env)
    finally:
        if ours:
            POLICY.unlink(missing_ok=True)


def _apt(arguments: list[str], env: dict[str, str]) -> None:
    done = run(["apt-get", "-o", "DPkg::Lock::Timeout=120", *arguments], seconds=APT_SECONDS, env=env)
    if done.returncode:
        output = (done.stdout + done.stderr).strip().splitlines()[-15:]
        raise LocalFailure("apt-get " + " ".join(arguments) + " failed:\n  | " + "\n  | ".join(output))

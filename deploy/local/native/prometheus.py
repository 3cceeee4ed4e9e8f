"""A private Prometheus and Alertmanager that watch this checkout's services, and promtool, which tries rules out.

They are no servers of the platform: nothing waits for them, and they are started only when somebody wants to look.
"""

import os
import shutil

from deploy.local import packages
from deploy.local.errors import LocalFailure
from deploy.local.processes import which


def promtool() -> tuple[str, str]:
    """Return the path of promtool, installed first where that is possible, and why there is none where the path is empty."""
    return _program("promtool")


def prometheus() -> tuple[str, str]:
    """Return the path of the server likewise."""
    return _program("prometheus")


def _program(name: str) -> tuple[str, str]:
    found = which(name)
    if found:
        return found, ""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return "", packages.instruction(["prometheus"])
    try:
        packages.install(["prometheus"], report=print)
    except LocalFailure as failed:
        return "", str(failed)
    return which(name), f"the package of Prometheus has no {name}"

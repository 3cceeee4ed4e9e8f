"""Look up known vulnerabilities of every locked package, with pip-audit: all that is installed anywhere, tools included.

    python -m deploy.local.audits

It asks PyPI about each package. Where that is not reachable it says so in one sentence, and nothing has failed.
"""

import json
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deploy.local.layout import ROOT

SECONDS_MAX = 120.0
"""How long all of it may take."""
_ANSWER_SECONDS = 10
"""How long one answer of PyPI may take."""

ACCEPTED: Mapping[str, str] = {}
"""Vulnerabilities that do not concern us, by id, with the reason and until when."""


def locked() -> list[str]:
    """Every package of `uv.lock` as a requirement; the repository itself is none."""
    packages = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    return sorted(f"{each['name']}=={each['version']}" for each in packages if "virtual" not in each["source"])


def judge(report: Mapping[str, Any]) -> tuple[list[str], int]:
    """Read pip-audit's report: a sentence for each vulnerability, and how many packages could not be looked up."""
    faults = [
        f"{package['name']} {package['version']}: {found['id']}, fixed in {', '.join(found['fix_versions']) or 'no version'}"
        for package in report["dependencies"]
        for found in package.get("vulns", ())
        if found["id"] not in ACCEPTED
    ]
    return faults, sum(1 for package in report["dependencies"] if "skip_reason" in package)


def audit(command: Sequence[str] = ("pip-audit",)) -> tuple[list[str], str]:
    """Return a sentence for each vulnerability, and one about what was looked up."""
    requirements = locked()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "requirements.txt"
        file.write_text("\n".join(requirements) + "\n")
        options = [
            "--no-deps",
            "--disable-pip",
            "--format=json",
            "--progress-spinner=off",
            f"--timeout={_ANSWER_SECONDS}",
        ]
        program = str(Path(sys.executable).parent / command[0])
        try:
            ran = subprocess.run(
                [program, *command[1:], "-r", str(file), *options],
                capture_output=True,
                text=True,
                check=False,
                timeout=SECONDS_MAX,
            )
            report = json.loads(ran.stdout)
        except (subprocess.TimeoutExpired, json.JSONDecodeError):
            return [], "not audited: PyPI, which knows the vulnerabilities of packages, is not reachable from here"
    faults, unknown = judge(report)
    if unknown == len(requirements):
        return faults, "not audited: the index that is reachable from here knows nothing of vulnerabilities"
    looked_up = f"{len(requirements) - unknown} of {len(requirements)} packages were looked up"
    return faults, f"{looked_up}, vulnerable: {len(faults)}"


if __name__ == "__main__":
    found, remark = audit()
    print("\n".join([*found, remark]))
    sys.exit(1 if found else 0)

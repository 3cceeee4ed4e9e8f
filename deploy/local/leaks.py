"""Look for secrets of real systems in the files of this repository: keys, tokens and private keys by their form.

    python -m deploy.local.leaks

What stands here for development alone (`published.py`) has no such form, and starts no service outside local.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from deploy.local.layout import ROOT

FORMS = {
    "a private key": r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
    "a live key of Stripe": r"\b[sr]k_live_[0-9A-Za-z]{16,}",
    "a test key of Stripe": r"\b[sr]k_test_[0-9A-Za-z]{24,}",
    "a secret of webhooks": r"\bwhsec_[0-9A-Za-z+/=]{24,}",
    "a live key of this platform": r"\bpayk_live_[0-9A-Za-z]{30,}",
    "a key of AWS": r"\bA(KIA|SIA)[0-9A-Z]{16}\b",
    "a token of GitHub": r"\b(gh[pousr]_[0-9A-Za-z]{36}|github_pat_[0-9A-Za-z_]{40,})",
    "a token of GitLab": r"\bglpat-[0-9A-Za-z_-]{20,}",
    "a token of Slack": r"\bxox[abposr]-[0-9A-Za-z-]{10,}",
    "a key of Google": r"\bAIza[0-9A-Za-z_-]{35}",
    "a token of PyPI": r"\bpypi-AgEIcHlwaS5vcmc",
    "a token of npm": r"\bnpm_[0-9A-Za-z]{36}",
    "a signed token": r"\beyJ[0-9A-Za-z_-]{10,}\.eyJ[0-9A-Za-z_-]{10,}\.[0-9A-Za-z_-]{10,}",
}
"""What is looked for, as extended regular expressions."""

ALLOWED = {
    "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw": "the example of the Standard Webhooks specification",
}
"""What has such a form and may stand here, with the reason."""


def leaks(root: Path = ROOT) -> Iterator[str]:
    """Name file, line and kind of each secret that is found; the secret itself is not shown."""
    patterns = [option for form in FORMS.values() for option in ("-e", form)]
    command = ["git", "grep", "--no-color", "--no-column", "--untracked", "-InoE", *patterns]
    ran = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if ran.returncode > 1:
        raise RuntimeError(ran.stderr)
    for line in ran.stdout.splitlines():
        file, number, found = line.split(":", 2)
        if found not in ALLOWED:
            kind = next(kind for kind, form in FORMS.items() if re.fullmatch(form.removeprefix(r"\b"), found))
            yield f"{file}:{number}: {kind}"


if __name__ == "__main__":
    lines = list(leaks())
    print("\n".join(lines) if lines else f"no secret in the files of git, looked for {len(FORMS)} forms")
    sys.exit(1 if lines else 0)
